"""Blocks of uids: the same for the same daemon, another for each of two, and given back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox import uids
from sandbox.confine.credentials import UIDS, UIDS_OF_A_BLOCK
from sandbox.uids import UidBlock


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    return tmp_path / "claims"


def test_a_daemon_that_comes_back_has_the_block_that_it_had(claims: Path):
    first, again = UidBlock("/run/stratd", claims), UidBlock("/run/stratd", claims)
    first.claim()
    first.release()
    again.claim()
    assert first.first == again.first
    assert (first.first - UIDS) % UIDS_OF_A_BLOCK == 0
    again.release()


def test_two_whose_names_fall_together_have_different_blocks(claims: Path):
    one, other = UidBlock("/run/stratd", claims), UidBlock("/run/stratd", claims)
    one.claim()
    one.claim()  # as for a second zygote
    other.claim()
    assert other.first != one.first
    one.release()
    other.release()


def test_when_all_are_taken_it_says_so(claims: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uids, "UID_BLOCKS", 2)
    blocks = [UidBlock("a", claims), UidBlock("b", claims), UidBlock("c", claims)]
    for block in blocks[:2]:
        block.claim()
    with pytest.raises(BlockingIOError, match=f"{claims}: all 2 blocks of uids are taken"):
        blocks[2].claim()
    for block in blocks:
        block.release()


def test_where_nothing_can_be_held_there_is_a_block_all_the_same(tmp_path: Path):
    block = UidBlock("a", tmp_path / "no" / "such")
    block.claim()
    assert block.first >= UIDS
    block.release()


def test_a_claim_is_no_one_else_s_to_hold(claims: Path):
    """A daemon's children must not: a lock lives as long as anybody has it open (flock(2))."""
    block = UidBlock("a", claims)
    block.claim()
    (held,) = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if _leads_below(fd, claims)]
    assert os.get_inheritable(held) is False
    assert claims.stat().st_mode & 0o777 == 0o700
    block.release()


def _leads_below(descriptor: Path, folder: Path) -> bool:
    try:
        return descriptor.readlink().is_relative_to(folder)
    except FileNotFoundError:  # that of the listing itself
        return False
