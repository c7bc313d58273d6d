"""What of new settings can be put in place while everything runs."""

from __future__ import annotations

from pathlib import Path

from supervisor.config import Settings, load
from supervisor.reload import merge


def settings(folder: Path, text: str) -> Settings:
    path = folder / "stratd.toml"
    path.write_text(f'state_dir = "{folder}/state"\nruntime_dir = "{folder}/run"\n{text}')
    return load({}, file=path, uid=0)


def test_the_same_again_changes_nothing(tmp_path):
    now = settings(tmp_path, "")
    assert merge(now, settings(tmp_path, "")) == (now, [], [])


def test_limits_quotas_feeds_and_policies_are_taken_over(tmp_path):
    fresh = settings(
        tmp_path,
        """
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
    assert sorted(merged.changed) == ["feeds", "limits", "quota", "restart"]


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
        """,
    )
    merged = merge(now, fresh)
    assert (merged.changed, merged.waits) == (["quota"], ["redis", "quota.cpu_policy"])
    assert (merged.settings.redis, merged.settings.quota.cpu_policy) == (now.redis, "throttle")
    assert merged.settings.quota.memory == 64 * 2**20


def test_what_only_waits_is_no_change(tmp_path):
    now = settings(tmp_path, "")
    merged = merge(now, settings(tmp_path, '[quota]\ncpu_policy = "kill"\n'))
    assert (merged.settings, merged.changed, merged.waits) == (now, [], ["quota.cpu_policy"])
