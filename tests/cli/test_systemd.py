"""``stratd systemd``: what would be done (pure), and doing it under another root, with a real environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.systemd import unit_files
from cli.service import plan
from cli.service.plan import Folder, Found, Link, Remove, Run, Source, Write, told
from cli.service.shell import Shell, source

FILES = {
    "stratd.service": "[Service]\n",
    "stratd@.service": "[Service]\n",
    plan.STEPS: "[Service]\nRestartSteps=5\n",
}
NOTHING = Found(user=False, current="", releases=[], texts={}, command=None, systemd=252)
DONE = Found(
    user=True,
    current="1.0.0",
    releases=["1.0.0"],
    texts={
        plan.CONFIG: "mine",
        plan.UNITS / "stratd.service": "[Service]\n",
        plan.UNITS / "stratd@.service": "[Service]\n",
    },
    command="/opt/stratd/current/bin/stratd",
    systemd=252,
)
INDEX = Source("1.0.0", "1.0.0", "/usr/bin/python3")


def lines(steps: list[plan.Step]) -> list[str]:
    return [told(step) for step in steps]


# ---- the plan -------------------------------------------------------------------------------------
def test_on_a_new_host_everything_is_made_and_the_start_comes_last():
    steps = [*plan.prepare(NOTHING, INDEX), *plan.install(NOTHING, INDEX, FILES, start=True)]
    told = lines(steps)
    assert told[0].startswith("useradd --system")
    assert told[-2:] == ["systemctl daemon-reload", "systemctl enable --now stratd.service"]
    place = "/opt/stratd/releases/1.0.0"
    assert told.index(f"/usr/bin/python3 -m venv {place}") < told.index(f"{place}/bin/stratd --version")
    assert told.index(f"{place}/bin/stratd --version") < told.index(
        f"write {place}/stratd-release (mode 0644)"
    )
    assert f"link {plan.CURRENT} -> releases/1.0.0" in told


def test_where_all_is_there_nothing_is_written_and_settings_are_never_touched():
    steps = [*plan.prepare(DONE, INDEX), *plan.install(DONE, INDEX, FILES, start=False)]
    assert [step for step in steps if isinstance(step, Write | Link | Remove)] == []


def test_wheels_are_installed_without_an_index():
    steps = plan.build(NOTHING, INDEX._replace(wheels="/srv/wheels"))
    assert any("--no-index -f /srv/wheels stratd==1.0.0" in line for line in lines(steps))


def test_a_release_that_installs_itself_gets_its_stamp_and_nothing_else():
    steps = plan.build(NOTHING, INDEX._replace(itself=True))
    assert steps == [Write(plan.RELEASES / "1.0.0" / plan.STAMP, "1.0.0\n")]


@pytest.mark.parametrize(("version", "written"), [(252, False), (253, False), (254, True), (257, True)])
def test_restart_steps_are_written_where_systemd_knows_them(version, written):
    steps = plan.units(NOTHING._replace(systemd=version), FILES)
    drop_in = plan.UNITS / "stratd.service.d" / plan.STEPS
    assert (Folder(drop_in.parent) in steps, Write(drop_in, FILES[plan.STEPS]) in steps) == (written, written)


def test_going_back_is_as_it_was_before_whatever_the_switch_did():
    old, new = plan.UNITS / "stratd.service", plan.UNITS / "stratd-http.socket"
    before = DONE._replace(texts={old: "old"})
    now = DONE._replace(texts={old: "new", new: "[Socket]\n"})
    assert plan.back(before, now) == [
        Write(old, "old"),
        Remove(new),
        Link(plan.CURRENT, "releases/1.0.0"),
        Run(("systemctl", "daemon-reload")),
    ]


def test_of_old_releases_two_are_kept_besides_the_one_that_runs():
    found = DONE._replace(releases=["a", "b", "c", "d"])
    assert plan.outdated(found, "d") == [Remove(plan.RELEASES / "a")]
    assert plan.outdated(found, "a") == [Remove(plan.RELEASES / "b")]
    assert plan.outdated(found._replace(releases=["a", "b"]), "b") == []


@pytest.mark.parametrize("purge", [False, True])
def test_uninstalling_keeps_settings_and_state_unless_told(purge):
    removed = {
        step.path
        for step in plan.uninstall(DONE, ["stratd.service"], purge=purge)
        if isinstance(step, Remove)
    }
    assert {plan.OPT, plan.COMMAND, plan.UNITS / "stratd.service"} <= removed
    assert ({plan.STATE, plan.CONFIG.parent} <= removed, plan.CONFIG in removed) == (purge, False)


def test_a_command_of_somebody_else_is_left_alone():
    foreign = DONE._replace(command="/home/you/bin/stratd")
    assert Remove(plan.COMMAND) not in plan.uninstall(foreign, [], purge=True)
    assert all(not isinstance(step, Link) for step in plan.install(foreign, INDEX, FILES, start=False))


# ---- the shell ------------------------------------------------------------------------------------
@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc/systemd/system", "usr/local/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc" / "passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nstratd:x:990:990::/:/usr/sbin/nologin\n"
    )
    return tmp_path


def test_a_service_is_laid_out_under_another_root_twice_alike_and_taken_away_again(root):
    said: list[str] = []
    shell, wanted = Shell(root, said.append), INDEX._replace(itself=True)

    def install() -> None:
        shell.take(plan.prepare(shell.look(), wanted))
        shell.take(plan.install(shell.look(), wanted, unit_files(), start=False))

    (root / "opt/stratd/releases/1.0.0").mkdir(parents=True)
    install()
    first = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    assert (root / "opt/stratd/current").readlink() == Path("releases/1.0.0")
    assert (root / "etc/credstore").stat().st_mode & 0o777 == 0o700
    assert (root / "etc/systemd/system/stratd.service").read_text() == unit_files()["stratd.service"]
    (root / "etc/stratd/stratd.toml").write_text("# mine\n")
    install()
    stamps = (root / "opt/stratd/releases/1.0.0" / plan.STAMP, root / "etc/stratd/stratd.toml")
    second = {path: path.stat().st_mtime_ns for path in first if path not in stamps}
    assert second == {path: at for path, at in first.items() if path not in stamps}
    shell.take(plan.uninstall(shell.look(), [], purge=False))
    left = sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.is_symlink()
    )
    assert left == ["etc/passwd", "etc/stratd/stratd.toml"]


def test_a_dry_run_tells_the_same_and_does_nothing(root):
    before = sorted(root.rglob("*"))
    said: list[str] = []
    shell = Shell(root, said.append, dry=True)
    shell.take(plan.prepare(shell.look(), INDEX))
    assert f"/usr/bin/python3 -m venv {plan.RELEASES}/1.0.0" in said
    assert sorted(root.rglob("*")) == before


def test_a_step_that_fails_is_named_with_what_it_said(stratd, root):
    ended = stratd(f"systemd install --root {root} --python /bin/false")
    assert ended.code == 1
    assert "/bin/false -m venv /opt/stratd/releases/" in ended.err.splitlines()[-1]


def test_a_release_that_was_interrupted_is_made_anew(root):
    half = root / "opt/stratd/releases/1.0.0"
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    shell = Shell(root, lambda line: None)
    assert shell.look().releases == []
    steps = [step for step in plan.build(shell.look(), INDEX) if isinstance(step, Remove)]
    shell.take(steps)
    assert not half.exists()


def test_wheels_need_exactly_one_of_stratd(tmp_path, stratd):
    ended = stratd(f"systemd install --dry-run --python /usr/bin/python3 --wheels {tmp_path}")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    (tmp_path / "stratd-2.0.0-py3-none-any.whl").write_bytes(b"x")
    found = source("/usr/bin/python3", tmp_path, "1.0.0")
    assert (found.version, found.release) == ("2.0.0", "2.0.0-2d711642")


def test_what_is_lost_by_a_purge_has_to_be_said(stratd, root):
    ended = stratd(f"systemd uninstall --purge --root {root}")
    assert (ended.code, "--yes" in ended.err) == (5, True)


def test_upgrade_needs_something_installed_and_a_release_that_is_there(stratd, root):
    assert "install comes first" in stratd(f"systemd upgrade --root {root}").err
    release = root / "opt/stratd/releases/1.0.0"
    release.mkdir(parents=True)
    (release / plan.STAMP).write_text("1.0.0\n")
    (root / "opt/stratd/current").symlink_to("releases/1.0.0")
    ended = stratd(f"systemd upgrade --release 9.9 --root {root}")
    assert (ended.code, "there are: 1.0.0" in ended.err) == (1, True)
    assert stratd(f"systemd upgrade --release 1.0.0 --root {root}").code == 0


@pytest.mark.parametrize("name", sorted(unit_files()))
def test_every_unit_can_be_printed(stratd, name):
    ended = stratd(f"systemd show {name}")
    assert (ended.code, ended.out) == (0, unit_files()[name])


def test_an_unknown_unit_is_told_with_those_that_there_are(stratd):
    ended = stratd("systemd show stratd.timer")
    assert (ended.code, "stratd.socket" in ended.err) == (1, True)
