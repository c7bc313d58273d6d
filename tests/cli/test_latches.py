"""``flatten lock unlock promote`` and ``account resume`` against a served fake daemon."""

from __future__ import annotations

import pytest

from tests.supervisor.fake_money import latch


def test_a_deployment_is_flattened_locked_and_unlocked_by_whoever_asks(served, daemon, stratd):
    assert "eurusd: flattened; what it holds is being closed\n" == stratd("flatten eurusd --reason news").out
    assert "eurusd: locked; what it holds is being closed\n" == stratd("lock eurusd").out
    assert "eurusd: nothing bars it\n" == stratd("unlock eurusd").out
    assert [("flatten", "eurusd", "news"), ("lock", "eurusd", "")] == [call[:3] for call in daemon.calls[:2]]
    assert ("rearm deployment", "eurusd") == daemon.calls[2][:2]


@pytest.mark.parametrize("verb", ["flatten", "lock", "promote"])
def test_a_deployment_that_there_is_not_is_4_with_the_name_that_was_meant(served, stratd, verb):
    done = stratd(f"{verb} eurus")
    assert (4, "") == (done.code, done.out)
    assert "did you mean 'eurusd'?" in done.err


def test_nobody_is_promoted_without_a_word(served, daemon, stratd):
    done = stratd("promote idle --account fund")
    assert (5, "") == (done.code, done.out)
    assert "live_unconfirmed: idle would trade the real money of account fund, by route gateway" in done.err
    assert [None] == [call[2].confirmation for call in daemon.calls if call[0] == "promote"]


def test_with_a_word_the_confirmation_is_given_back(served, daemon, stratd):
    done = stratd("promote idle --account fund --yes")
    assert 0 == done.code
    assert "idle: trades the real money of account fund, by route gateway, once it is started" in done.out
    asked = [call[2] for call in daemon.calls if call[0] == "promote"]
    assert [None, "fund"] == [asked[0].confirmation, asked[1].account]
    assert asked[1].confirmation


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("typed", "code"), [("idle", 0), ("yes", 5), ("", 5)])
def test_a_person_types_the_name(daemon, stratd, monkeypatch, typed, code):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: typed)
    assert code == stratd("promote idle").code
    steps = [call[2].confirmation for call in daemon.calls if call[0] == "promote"]
    assert (2 if code == 0 else 1) == len(steps)


def test_an_account_is_resumed_from_a_pause_alone(served, daemon, stratd):
    stratd("account pause default")
    assert "default: resumed\n" == stratd("account resume default").out
    daemon.books["default"] = daemon.books["default"].model_copy(update={"latch": latch("default")})
    done = stratd("account resume default")
    assert (5, "latch_lock" in done.err) == (done.code, True)
