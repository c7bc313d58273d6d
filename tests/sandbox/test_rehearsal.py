from __future__ import annotations

import sys

import psutil
import pytest

from sandbox import loader
from sandbox.hello import Hellos
from sandbox.rehearsal import TURNS, rehearse


@pytest.mark.system
def test_the_rehearsal_is_answered_to_the_end_and_leaves_nothing_behind():
    process = psutil.Process()
    descriptors, finders = process.num_fds(), list(sys.meta_path)
    limit = process.rlimit(psutil.RLIMIT_DATA)
    assert rehearse() == TURNS
    assert process.num_fds() == descriptors
    assert sys.meta_path == finders
    assert not [name for name in sys.modules if name.startswith(loader.PACKAGE)]
    assert process.rlimit(psutil.RLIMIT_DATA) == limit


@pytest.mark.system
def test_a_host_so_busy_that_the_next_hello_is_due_at_once_fails_no_rehearsal(monkeypatch):
    monkeypatch.setattr(Hellos, "wait", lambda self, now: 0.0)
    assert rehearse() == TURNS
