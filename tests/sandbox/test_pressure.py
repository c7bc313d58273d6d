"""Pressure stall information: read as the kernel writes it, and left out where it does not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.confine.cgroup_files import Files
from sandbox.confine.pressure import HOST, Pressure, Stall, of_group, of_host, parse

WRITTEN = (
    "some avg10=12.50 avg60=3.10 avg300=0.71 total=2500000\n"
    "full avg10=4.00 avg60=1.00 avg300=0.20 total=1000000\n"
)


class Kernel(Files):
    """Files of a dictionary; an ``OSError`` in it is raised."""

    def __init__(self, files):
        self.files = files

    def read(self, file: Path) -> str:
        found = self.files.get(
            str(file), FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        )
        if isinstance(found, OSError):
            raise found
        return found


def test_shares_and_seconds_are_those_of_the_kernel():
    assert Pressure(Stall(0.125, 2.5), Stall(0.04, 1.0)) == parse(WRITTEN)


def test_a_kernel_before_5_13_has_no_full_for_the_processor():
    assert Pressure(Stall(0.125, 2.5)) == parse(WRITTEN.splitlines()[0])


@pytest.mark.parametrize(
    "text", ["", "full avg10=1.00 total=1\n", "some avg10=much total=1\n", "some total=1\n"]
)
def test_what_is_not_of_the_form_is_not_guessed_at(text):
    assert parse(text) is None


@given(st.text())
def test_no_text_raises(text):
    assert parse(text) is None or text.startswith("some ") or "\nsome " in text


def test_what_a_group_does_not_tell_is_left_out():
    off = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    kernel = Kernel({"/g/cpu.pressure": WRITTEN, "/g/memory.pressure": off})
    assert {"cpu": parse(WRITTEN)} == of_group(Path("/g"), kernel)
    assert {} == of_host(kernel)


def test_of_this_host_everything_is_read_that_it_has():
    there = set()
    for name in ("cpu", "memory", "io"):
        try:
            (HOST / name).read_text()
            there.add(name)
        except OSError:
            continue
    assert there == set(of_host(Files()))
