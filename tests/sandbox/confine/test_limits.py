"""Which limits a strategy gets. That they hold is in ``test_cell.py`` and among the attacks."""

from __future__ import annotations

import psutil

from sandbox.confine.limits import ADDRESS_SPACE, TASKS_OF_THE_UID, Usage, table
from sandbox.spec import Limits

MIB = 2**20
INHERITED = Usage(data=70 * MIB, mapped=180 * MIB)


def test_memory_is_what_it_inherits_and_its_quota():
    found = table(Limits(memory=256 * MIB), INHERITED, own_tasks=True)
    assert 326 * MIB == found[psutil.RLIMIT_DATA]


def test_page_tables_are_bounded_by_the_address_space():
    found = table(Limits(memory=256 * MIB), INHERITED, own_tasks=True)
    assert 180 * MIB + 1024 * MIB + ADDRESS_SPACE == found[psutil.RLIMIT_AS]
    assert found[psutil.RLIMIT_AS] // 512 < 16 * MIB  # 8 bytes of them for each page of 4 KiB


def test_tasks_are_its_own_where_they_are_counted_apart():
    assert 64 == table(Limits(processes=64), INHERITED, own_tasks=True)[psutil.RLIMIT_NPROC]
    assert TASKS_OF_THE_UID == table(Limits(), INHERITED, own_tasks=False)[psutil.RLIMIT_NPROC]
