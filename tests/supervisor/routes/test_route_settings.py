"""[routes.NAME]: what a route is told, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config import Settings, load
from supervisor.errors import SettingsError

GATEWAY = '[routes.gateway]\nkind = "http"\n'
SECRET = "hunter2"  # noqa: S105  (nobody's)


def of(text: str, tmp_path: Path, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "stratd.toml"
    file.write_text(text)
    return load(environ or {}, file=file, uid=0)


def mistakes(text: str, tmp_path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        of(text, tmp_path)
    return [error.replace(f"{tmp_path}/", "") for error in caught.value.errors]


def test_a_route_without_a_url_has_that_of_the_platforms_gateway_and_its_key(tmp_path):
    environ = {"TRADING_GATEWAY_URL": "https://platform/v1", "TRADING_GATEWAY_KEY": SECRET}
    [spec] = of(GATEWAY, tmp_path, environ).route_specs
    assert ("gateway", "http", "https://platform/v1", SECRET) == (spec.name, spec.kind, spec.url, spec.key)


def test_a_route_with_a_url_of_its_own_is_never_given_anothers_key(tmp_path):
    environ = {"TRADING_GATEWAY_URL": "https://platform/v1", "TRADING_GATEWAY_KEY": SECRET}
    [spec] = of(GATEWAY + 'url = "https://other"\n', tmp_path, environ).route_specs
    assert ("https://other", "") == (spec.url, spec.key)


def test_a_stream_is_by_default_where_the_mirror_is(tmp_path):
    environ = {"REDIS_URL": "redis://h", "REDIS_PASSWORD": SECRET}
    [spec] = of('[routes.stream]\nkind = "redis"\n', tmp_path, environ).route_specs
    assert ("redis://h", SECRET) == (spec.url, spec.key)


def test_a_key_may_come_in_a_variable(tmp_path):
    [spec] = of(
        GATEWAY + 'url = "https://g"\n', tmp_path, {"STRATD_ROUTES__GATEWAY__KEY": SECRET}
    ).route_specs
    assert SECRET == spec.key


def test_no_text_of_it_has_its_secrets(tmp_path):
    settings = of(GATEWAY + f'url = "https://g/{SECRET}"\nkey = "{SECRET}"\n', tmp_path)
    texts = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.route_specs)]
    assert all(SECRET not in text for text in texts)


def test_an_account_names_a_route_that_there_is(tmp_path):
    [told] = mistakes(GATEWAY + '[accounts.main]\nroute = "gatway"\n', tmp_path)
    assert "main.route: there is no [routes.gatway]" in told
    settings = of(GATEWAY + '[accounts.main]\nlive = true\nroute = "gateway"\n', tmp_path)
    assert "gateway" == settings.accounts["main"].route


def test_a_url_of_another_kind_is_told_without_being_shown(tmp_path):
    [told] = mistakes(GATEWAY + f'url = "redis://:{SECRET}@h"\n', tmp_path)
    assert told.startswith("stratd.toml:3: routes.gateway.url")
    assert "http:// or https://" in told
    assert SECRET not in told


@pytest.mark.parametrize(
    "line", ["timeout = 0", "patience = -1", "failures = 0", "at_once = true", "poll = 0"]
)
def test_a_value_that_would_disable_it_is_refused(line, tmp_path):
    [told] = mistakes(GATEWAY + line + "\n", tmp_path)
    assert told.startswith(f"stratd.toml:3: routes.gateway.{line.partition(' ')[0]}")
