"""What is made of the facts of a host: pure, without any host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from sandbox.confine.clock import ClockReading
from supervisor.checkup import certificate, clock, kernel, place
from supervisor.checkup.distribution import CLOCK, POSTGRESQL, REDIS, Family, family_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MIB = 2**20


# ---- the distribution -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("os_release", "family"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nID=debian\n', "debian"),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "debian"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("ID='sles'\n", "suse"),
        ("ID=manjaro\nID_LIKE=arch\n", "arch"),
        ("ID=alpine\nVERSION_ID=3.20.0\n", "alpine"),
        ("ID=nixos\n", "other"),
        ("# nothing is said\n", "other"),
    ],
)
def test_a_distribution_is_known_by_its_name_or_by_what_it_is_like(os_release: str, family: Family):
    assert family_of(os_release) == family


def test_every_family_has_its_commands():
    assert set(CLOCK) == set(REDIS) == set(POSTGRESQL) == set(get_args(Family))


# ---- the clock ------------------------------------------------------------------------------------
def test_a_clock_that_is_kept_is_told_with_how_far_off_it_may_be():
    view = clock.view(ClockReading(synchronised=True, max_error=0.0123), "debian")
    assert (view.state, view.detail, view.command) == ("active", "synchronised, off by at most 12.3 ms", "")


def test_a_clock_that_nobody_keeps_is_told_with_what_would():
    view = clock.view(ClockReading(synchronised=False, max_error=16.0), "fedora")
    assert (view.state, view.command) == (
        "available", "dnf install chrony && systemctl enable --now chronyd",
    )  # fmt: skip


def test_a_clock_that_was_set_long_ago_is_not_good():
    view = clock.view(ClockReading(synchronised=True, max_error=2.5), "debian")
    assert (view.state, view.detail) == ("available", "synchronised, but off by at most 2.5e+03 ms")


def test_a_kernel_that_may_not_be_asked_is_no_bad_clock():
    def refused() -> ClockReading:
        raise PermissionError(1, "Operation not permitted")

    view = clock.look("debian", refused)
    assert (view.state, view.detail) == ("off", "the kernel does not tell: Operation not permitted")


# ---- the certificate ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "state", "detail"),
    [
        (timedelta(days=21), "active", "/c.pem, until 2026-12-12"),
        (timedelta(days=20, hours=23), "available", "/c.pem, until 2026-12-11: 20 days"),
    ],
)
def test_a_certificate_that_ends_soon_is_told_of_before_it_does(left, state, detail):
    view = certificate.view(Path("/c.pem"), NOW + left, NOW)
    assert (view.state, view.detail) == (state, detail)


# ---- the disk -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("free", "files", "state"),
    [
        (64 * MIB, 1, "active"),
        (64 * MIB, None, "active"),
        (64 * MIB - 1, 9, "missing"),
        (900 * MIB, 0, "missing"),
    ],
)
def test_a_disk_without_its_reserve_or_without_inodes_is_missing(free, files, state):
    assert place.room(free, 1000 * MIB, files=files, reserve=64 * MIB).state == state


# ---- the kernel -----------------------------------------------------------------------------------
def write(root: Path, **files: str) -> None:
    """Write the kernel's files: names with ``__`` for ``/``."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_a_kernel_that_says_nothing_costs_nothing(tmp_path):
    assert [view.state for view in kernel.look(tmp_path)] == ["active"]


def test_each_setting_that_costs_something_is_told_with_what_changes_it(tmp_path):
    write(
        tmp_path,
        sys__devices__system__clocksource__clocksource0__current_clocksource="hpet",
        sys__devices__system__clocksource__clocksource0__available_clocksource="hpet tsc acpi_pm",
        proc__sys__vm__overcommit_memory="2",
        sys__kernel__mm__transparent_hugepage__enabled="[always] madvise never",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="powersave",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_driver="acpi-cpufreq",
    )
    views = kernel.look(tmp_path)
    assert {view.state for view in views} == {"available"}
    assert [view.command for view in views] == [
        "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
        "sysctl -w vm.overcommit_memory=0",
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        "cpupower frequency-set -g performance",
    ]


def test_what_is_as_it_should_be_is_not_told_of():
    good = kernel.Found(
        clock="kvm-clock", overcommit="1", huge_pages="always [madvise] never", governor="powersave",
        driver="intel_pstate",
    )  # fmt: skip
    assert [view.state for view in kernel.views(good)] == ["active"]
