"""What of new settings can be put in place while everything runs: a decision for every one of them."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from supervisor.config import Settings, load
from supervisor.config.merging import merge
from supervisor.config.reloading import RELOADED, RESTARTED
from supervisor.config.sections import Section

DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def settings(folder: Path, text: str) -> Settings:
    path = folder / "stratd.toml"
    path.write_text(f'state_dir = "{folder}/state"\nruntime_dir = "{folder}/run"\n{text}')
    return load({}, file=path, uid=0)


# ---- the tables -----------------------------------------------------------------------------------
def fields_of(name: str) -> tuple[str, ...]:
    """The settings of a section, none for what is a setting itself."""
    annotation = Settings.model_fields[name].annotation
    kinds = [annotation, *get_args(annotation)]
    sections = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]
    return tuple(sections[0].model_fields) if sections else ()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_either_taken_by_a_reload_or_needs_a_restart(name: str):
    assert name in {*RELOADED, *RESTARTED}, f"decide in supervisor/config/reloading.py what becomes of {name}"
    decided = [*RELOADED.get(name, ()), *RESTARTED.get(name, ())]
    assert sorted(decided) == sorted(fields_of(name)), f"of [{name}]"


def test_nothing_is_decided_of_a_section_that_there_is_not():
    assert {*RELOADED, *RESTARTED} == set(Settings.model_fields)


def test_where_tables_have_names_there_is_one_decision_for_all_that_is_in_them():
    assert {"feeds", "accounts", "routes"}.isdisjoint(RELOADED.keys() & RESTARTED.keys())


def test_the_documentation_shows_these_tables():
    part = DOCS.read_text("utf-8").partition("## Reload\n")[2].partition("\n## ")[0]
    shown: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for name, live, later in re.findall(
        r"^\| `\[(\w+)(?:\.NAME)?\]` \| (.*) \| (.*) \|$", part, re.MULTILINE
    ):
        shown[name] = (tuple(re.findall(r"`(\w+)`", live)), tuple(re.findall(r"`(\w+)`", later)))
    decided = {
        name: (RELOADED.get(name, ()), RESTARTED.get(name, ()))
        for name in Settings.model_fields
        if fields_of(name)
    }
    assert shown == decided
    assert "| | - | `state_dir` `runtime_dir` |" in part


# ---- what is taken --------------------------------------------------------------------------------
def test_the_same_again_changes_nothing(tmp_path):
    now = settings(tmp_path, "")
    assert merge(now, settings(tmp_path, "")) == (now, [], [])


def test_limits_quotas_feeds_keys_log_and_policies_are_taken_over(tmp_path):
    fresh = settings(
        tmp_path,
        """
        [log]
        level = "DEBUG"
        [api]
        key = "a-new-key-of-sixteen"
        rate = "5/second"
        [limits]
        max_concurrent = 3
        [quota]
        memory = "64M"
        [restart]
        delay = 7
        [feeds.main]
        endpoint = "tcp://127.0.0.1:5555"
        """,
    )
    merged = merge(settings(tmp_path, ""), fresh)
    assert (merged.settings, merged.waits) == (fresh, [])
    assert merged.changed == [
        "log.level", "api.key", "api.rate", "limits.max_concurrent", "quota.memory", "restart.delay",
        "feeds.main",
    ]  # fmt: skip


def test_of_a_feed_the_setting_that_changed_is_named_and_one_that_goes_is_named_itself(tmp_path):
    feed = '[feeds.main]\nendpoint = "tcp://127.0.0.1:5555"\n'
    gone = '[feeds.old]\nendpoint = "tcp://127.0.0.1:5556"\n'
    now, fresh = settings(tmp_path, feed + gone), settings(tmp_path, feed + "heartbeat = 9\n")
    merged = merge(now, fresh)
    assert (merged.changed, merged.waits) == (["feeds.main.heartbeat", "feeds.old"], [])
    assert list(merged.settings.feeds) == ["main"]


def test_what_holds_for_as_long_as_the_daemon_lives_is_named_and_stays(tmp_path):
    now = settings(tmp_path, "")
    fresh = settings(
        tmp_path,
        """
        [quota]
        memory = "64M"
        cpu_policy = "kill"
        [redis]
        url = "redis://127.0.0.1:6379"
        [api]
        port = 9000
        rate = "5/second"
        """,
    )
    merged = merge(now, fresh)
    assert merged.changed == ["api.rate", "quota.memory"]
    assert merged.waits == ["api.port", "redis.url", "quota.cpu_policy"]
    assert (merged.settings.redis, merged.settings.quota.cpu_policy) == (now.redis, "throttle")
    assert (merged.settings.api.port, merged.settings.api.rate) == (8003, "5/second")
    assert merged.settings.quota.memory == 64 * 2**20


def test_what_only_waits_is_no_change(tmp_path):
    now = settings(tmp_path, "")
    merged = merge(now, settings(tmp_path, '[quota]\ncpu_policy = "kill"\n'))
    assert (merged.settings, merged.changed, merged.waits) == (now, [], ["quota.cpu_policy"])


def test_an_account_whose_route_comes_with_it_waits_for_the_restart_with_the_route(tmp_path):
    account = "[accounts.a]\ncapital = 1000\n"
    route = '[routes.out]\nkind = "http"\nurl = "http://127.0.0.1:1/"\n'
    now = settings(tmp_path, account)
    fresh = settings(tmp_path, f'{account}live = true\nroute = "out"\n[accounts.b]\ncapital = 5\n{route}')
    merged = merge(now, fresh)
    assert (merged.changed, merged.waits) == (
        ["accounts.b"],
        ["routes.out", "accounts.a.live", "accounts.a.route"],
    )
    assert merged.settings.accounts == {"a": now.accounts["a"], "b": fresh.accounts["b"]}
    assert merged.settings.routes == {}


def test_where_a_value_was_said_is_told_of_the_one_in_force(tmp_path):
    now = settings(tmp_path, '[quota]\ncpu_policy = "kill"\nmemory = "64M"\n')
    fresh = settings(tmp_path, '\n\n[quota]\ncpu_policy = "warn"\nmemory = "32M"\n')
    file, merged = tmp_path / "stratd.toml", merge(now, fresh)
    assert (now.origins["quota.cpu_policy"], fresh.origins["quota.memory"]) == (f"{file}:4", f"{file}:7")
    assert merged.settings.origins["quota.cpu_policy"] == f"{file}:4"
    assert merged.settings.origins["quota.memory"] == f"{file}:7"


# ---- whatever changes -----------------------------------------------------------------------------
PIECES = (
    '[log]\nlevel = "DEBUG"\n',
    '[api]\nport = 9000\nrate = "5/second"\n',
    '[redis]\nurl = "redis://127.0.0.1:1"\n',
    "[limits]\nmax_concurrent = 3\n",
    '[quota]\nmemory = "64M"\ncgroup = "off"\n',
    '[sandbox]\nsetting = "bare"\nrequire = ["seccomp"]\n',
    '[feeds.a]\nendpoint = "tcp://127.0.0.1:1"\n',
    '[feeds.b]\nendpoint = "tcp://127.0.0.1:2"\n',
    "[accounts.a]\ncapital = 5\n",
    '[routes.out]\nkind = "http"\nurl = "http://127.0.0.1:1/"\n',
    "[live]\nenabled = true\n",
)
FILES = st.sets(st.sampled_from(PIECES)).map(lambda pieces: "".join(sorted(pieces)))


@settings_of_hypothesis(max_examples=40)
@given(FILES, FILES)
def test_a_second_reload_of_the_same_file_changes_nothing_and_waits_for_the_same(before: str, after: str):
    with TemporaryDirectory() as folder:
        now, fresh = (settings(Path(folder), text) for text in (before, after))
        first = merge(now, fresh)
        again = merge(first.settings, fresh)
        assert (again.settings, again.changed, again.waits) == (first.settings, [], first.waits)


@settings_of_hypothesis(max_examples=40)
@given(FILES, FILES)
def test_every_value_in_force_is_of_one_of_the_two_files_as_its_table_says(before: str, after: str):
    with TemporaryDirectory() as folder:
        now, fresh = (settings(Path(folder), text) for text in (before, after))
        merged = merge(now, fresh).settings
        for section in Settings.model_fields:
            for which, source in ((RELOADED, fresh), (RESTARTED, now)):
                for key in which.get(section, ()):
                    assert values(merged, section, key) == values(source, section, key), f"{section}.{key}"


def values(of: Settings, section: str, key: str) -> object:
    """One setting, or of a section whose tables have names that of each."""
    found = getattr(of, section)
    if isinstance(found, dict):
        return {name: getattr(table, key) for name, table in found.items()}
    return getattr(found, key)
