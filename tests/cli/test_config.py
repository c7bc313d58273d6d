"""``stratd config``: what a daemon would go by, from where, and never a secret."""

from __future__ import annotations

import json

import pytest

SECRETS = {
    "API_KEY": "sesame-0123456789abcdef",
    "REDIS_URL": "redis://:hunter2-redis@localhost:6379/0",
    "DATABASE_URL": "postgresql://u:hunter2-database@localhost/stratd",
    "TRADING_GATEWAY_KEY": "hunter2-gateway",
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "stratd.toml"
    path.write_text(
        '[limits]\nmax_concurrent = 7\n\n[routes.gate]\nkind = "http"\nurl = "https://u:hunter2-url@gate"\n'
        'key = "hunter2-route"\n'
        'options = { token = "hunter2-option", deep = [{ pin = "hunter2-pin" }], retries = 3 }\n'
    )
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return path


def test_each_value_comes_with_where_it_was_said(stratd, file):
    lines = stratd(f"config --config {file}").out.splitlines()
    assert f"limits.max_concurrent = 7  # {file}:2" in lines
    assert "limits.max_per_account = 10  # default" in lines
    assert 'api.key = "**********"  # variable API_KEY' in lines
    assert "routes.gate.options.retries = 3  # " + f"{file}:8" in lines


@pytest.mark.parametrize("how", ["", " --json"])
def test_no_secret_is_in_it(stratd, file, how):
    ended = stratd(f"config --config {file}{how}")
    assert ended.code == 0
    assert "hunter2" not in ended.out + ended.err
    assert "sesame" not in ended.out + ended.err


def test_json_is_one_document(stratd, file):
    document = stratd(f"config --config {file} --json").json
    assert document["settings"]["limits"]["max_concurrent"] == 7
    assert document["origins"]["limits.max_concurrent"] == f"{file}:2"
    assert json.dumps(document["settings"]["routes"]["gate"]["options"]) == (
        '{"token": "**********", "deep": [{"pin": "**********"}], "retries": 3}'
    )


def test_a_wrong_setting_is_a_line_and_the_code_of_a_wrong_invocation(stratd, tmp_path):
    path = tmp_path / "stratd.toml"
    path.write_text("[limits]\nmax_concurrent = true\n")
    ended = stratd(f"config --config {path}")
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}:2" in ended.err
