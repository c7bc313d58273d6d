"""A command for another daemon than that of this host."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.system


def test_the_url_is_said_before_the_verb_or_in_the_environment(served, stratd, monkeypatch, tmp_path):
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(tmp_path))
    assert stratd("ps --json").code == 3
    assert len(stratd(f"--url unix://{served.path} ps --json").json) == 3
    assert stratd("ps --json").code == 3, "one command's daemon is not the next one's"
    monkeypatch.setenv("STRATD_URL", f"unix://{served.path}")
    assert len(stratd("ps --json").json) == 3


def test_what_is_no_url_is_wrong_usage_with_what_is_allowed(stratd):
    ended = stratd("--url host:8003 ps")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("stratd: 'host:8003' is no place of a daemon: it is http://HOST:PORT")


def test_a_daemon_elsewhere_that_does_not_answer_is_no_daemon(stratd):
    ended = stratd("--url http://127.0.0.1:1 status")
    assert ended.code == 3
    assert "no daemon answers at http://127.0.0.1:1" in ended.err
