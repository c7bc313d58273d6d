from __future__ import annotations

import pytest

from sandbox.hello import Hellos


def test_hellos_slow_down_to_ten_a_second():
    hellos, now, said = Hellos(0.0), 0.0, []
    while now < 0.5:
        assert hellos.due(now)
        said.append(round(now, 3))
        hellos.said(now, sent=True)
        now += hellos.wait(now)
    assert said == [0.0, 0.01, 0.03, 0.08, 0.18, 0.28, 0.38, 0.48]


def test_while_the_pipe_is_not_up_it_is_tried_every_millisecond_then_rarely():
    hellos = Hellos(0.0)
    hellos.said(0.0, sent=False)
    assert hellos.wait(0.0) == pytest.approx(0.001)
    hellos.said(0.3, sent=False)
    assert hellos.wait(0.3) == pytest.approx(0.05)


def test_after_an_answer_the_next_engine_is_greeted_quickly():
    hellos = Hellos(0.0)
    for now in (0.0, 1.0, 2.0, 3.0):
        hellos.said(now, sent=True)
    hellos.answered(5.0)
    assert hellos.due(5.0)
    hellos.said(5.0, sent=True)
    assert hellos.wait(5.0) == pytest.approx(0.01)
