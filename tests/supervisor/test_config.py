"""Settings: where they come from, who wins, and what is said of a wrong one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from zmq.utils import z85

from sandbox.spec import Budget, Budgets, ExtraTime, Limits
from supervisor.config import Settings, load
from supervisor.config.endpoints import curve_key
from supervisor.config.layers import PLAIN_NAMES, line_of
from supervisor.config.messages import settings_of, variable
from supervisor.control import Configure, FeedSpec, SignalsSpec
from supervisor.errors import SettingsError
from supervisor.paths import api_socket, config_path

SECRET = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"  # noqa: S105  (the one of ZeroMQ's own documentation)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def of(text: str, tmp_path: Path, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "stratd.toml"
    file.write_text(text)
    return load(environ or {}, file=file, uid=0)


def mistakes(text: str, tmp_path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        of(text, tmp_path, environ)
    return [error.replace(f"{tmp_path}/", "") for error in caught.value.errors]


# ---- where from -----------------------------------------------------------------------------------
def test_nothing_needs_to_be_set():
    settings = load({}, uid=0)
    assert (settings.state_dir, settings.runtime_dir) == (Path("/var/lib/stratd"), Path("/run/stratd"))
    assert settings.quota.limits() == Limits()
    assert settings.budgets.budgets() == Budgets()
    assert settings.feeds == {}


def test_an_ordinary_user_has_places_of_his_own():
    environ = {
        "HOME": "/home/you",
        "XDG_STATE_HOME": "/s",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_CONFIG_HOME": "/c",
    }
    settings = load(environ, uid=7)
    assert (settings.state_dir, settings.runtime_dir) == (Path("/s/stratd"), Path("/run/user/7/stratd"))
    assert config_path(environ, 7) == Path("/c/stratd/stratd.toml")


def test_what_a_client_is_told_is_no_setting_of_the_daemon():
    told = {"STRATD_URL": "https://h:1", "STRATD_API_KEY": "k", "STRATD_CA": "/ca", "STRATD_CERT": "/cert"}
    assert load(told, uid=0) == load({}, uid=0)


def test_without_the_xdg_variables_the_home_stands_in():
    settings = load({"HOME": "/home/you"}, uid=7)
    assert (settings.state_dir, settings.runtime_dir) == (
        Path("/home/you/.local/state/stratd"),
        Path("/tmp/stratd-7"),  # noqa: S108
    )
    assert config_path({"HOME": "/home/you"}, 7) == Path("/home/you/.config/stratd/stratd.toml")


def test_a_relative_xdg_path_is_ignored_as_the_specification_asks():
    assert load({"HOME": "/h", "XDG_STATE_HOME": "s"}, uid=7).state_dir == Path("/h/.local/state/stratd")


def test_the_client_finds_the_socket_where_the_daemon_puts_it(tmp_path):
    file = tmp_path / "stratd.toml"
    file.write_text(f'runtime_dir = "{tmp_path}/run"\n')
    for environ in (
        {},
        {"STRATD_CONFIG": str(file)},
        {"STRATD_CONFIG": str(file), "STRATD_RUNTIME_DIR": "/r"},
    ):
        assert api_socket(environ, 0) == load(environ, uid=0).api_socket


@pytest.mark.parametrize(("name", "loc"), PLAIN_NAMES.items())
def test_every_plain_name_of_the_contract_sets_its_setting(name, loc):
    value = {"LOG_LEVEL": "debug", "PORT": "8080", "MAX_CONCURRENT_STRATEGIES": "7"}.get(name)
    value = value or {"redis": "redis://h", "database": "postgresql://h/d", "services": "https://h"}.get(
        loc[0] if name.endswith("_URL") else "", "a-word-of-sixteen"
    )
    found = load({name: value}, uid=0)
    for part in loc:
        found = getattr(found, part)
    found = getattr(found, "get_secret_value", lambda: found)()
    assert str(found).lower() == value


def test_the_plain_names_are_those_of_the_contract():
    contract = (
        "LOG_LEVEL PORT REDIS_URL REDIS_PASSWORD DATABASE_URL API_KEY MAX_CONCURRENT_STRATEGIES "
        "ANALYSIS_ENGINE_URL ANALYSIS_ENGINE_KEY FEATURE_STORE_URL FEATURE_STORE_KEY TRADING_GATEWAY_URL "
        "TRADING_GATEWAY_KEY RISK_MANAGEMENT_URL PORTFOLIO_MANAGEMENT_URL SERVICE_API_KEY"
    )
    assert set(PLAIN_NAMES) == set(contract.split())


def test_a_setting_of_our_own_beats_a_plain_one_beats_a_credential_beats_the_file(tmp_path):
    (tmp_path / "creds").mkdir()
    text = '[redis]\npassword = "file"\n'
    environ: dict[str, str] = {}
    seen = [secret(of(text, tmp_path, environ))]
    (tmp_path / "creds" / "redis_password").write_text("credential\n")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "creds")
    seen.append(secret(of(text, tmp_path, environ)))
    environ |= {"REDIS_PASSWORD": "plain"}
    seen.append(secret(of(text, tmp_path, environ)))
    environ |= {"STRATD_REDIS__PASSWORD": "own"}
    seen.append(secret(of(text, tmp_path, environ)))
    assert seen == ["file", "credential", "plain", "own"]


def secret(settings: Settings) -> str:
    assert settings.redis.password is not None
    return settings.redis.password.get_secret_value()


@pytest.mark.parametrize(
    "name", ["REDIS_PASSWORD", "redis-password", "redis.password", "stratd_redis__password"]
)
def test_a_credential_may_be_named_in_any_common_way(tmp_path, name):
    (tmp_path / name).write_text("s3cret\n")
    assert secret(load({"CREDENTIALS_DIRECTORY": str(tmp_path)}, uid=0)) == "s3cret"


def test_an_empty_variable_counts_as_unset():
    assert load({"REDIS_URL": "", "STRATD_QUOTA__CPU": ""}, uid=0).redis.url is None


def test_sizes_and_spans_are_written_as_systemd_writes_them(tmp_path):
    settings = of(
        '[quota]\nmemory = "1.5G"\n[budgets.tick]\nhard = "1m30s"\n[restart]\ndelay = "250ms"\n', tmp_path
    )
    assert settings.quota.memory == 3 * 2**29
    assert settings.budgets.budgets().tick == Budget(0.05, 90.0)
    assert settings.restart.delay == 0.25


def test_extra_time_has_a_size_and_a_refill_an_hour(tmp_path):
    settings = of('[budgets]\nextra = "2h"\nextra_refill = "18m"\n', tmp_path)
    assert settings.budgets.budgets().extra == ExtraTime(7200.0, 1080.0)


def test_a_feed_becomes_what_the_engine_is_told(tmp_path):
    text = '[feeds.main]\nendpoint = "tcp://*:5555"\nmode = "bind"\nformat = "openalgo"\n'
    text += 'calendar = "NSE"\ngrace = "1s"\n'
    assert of(text, tmp_path).feed_specs == [
        FeedSpec(
            name="main", endpoint="tcp://*:5555", mode="bind", format="openalgo", calendar="NSE", grace=1.0
        )
    ]


def test_a_feed_can_be_set_in_variables_alone():
    environ = {"STRATD_FEEDS__FX__ENDPOINT": "ipc:///run/fx.sock", "STRATD_FEEDS__FX__VENUE_SUFFIX": "true"}
    (spec,) = load(environ, uid=0).feed_specs
    assert (spec.name, spec.endpoint, spec.venue_suffix) == ("fx", "ipc:///run/fx.sock", True)


@pytest.mark.parametrize("recovery", ["auto", "off", "tcp://10.0.0.7:5556", "ipc:///run/feed.recovery"])
def test_a_feed_may_say_where_it_is_asked_for_what_was_missed(tmp_path, recovery):
    text = f'[feeds.main]\nendpoint = "tcp://10.0.0.7:5555"\nrecovery = "{recovery}"\n'
    assert [spec.recovery for spec in of(text, tmp_path).feed_specs] == [recovery]


@pytest.mark.parametrize(
    ("recovery", "why"),
    [
        (
            "on",
            "must be tcp://HOST:PORT, or ipc:// with an absolute path of at most 107 bytes; or auto, or off",
        ),
        ("tcp://*:5556", "must name the host that is asked"),
        ("tcp://10.0.0.7:5556", "is for the native format: no other publisher can be asked"),
    ],
)
def test_a_feed_is_not_asked_where_nobody_can_answer(tmp_path, recovery, why):
    text = f'[feeds.main]\nendpoint = "ipc:///x"\nformat = "dwx"\nrecovery = "{recovery}"\n'
    assert mistakes(text, tmp_path) == [f'stratd.toml:4: feeds.main.recovery = "{recovery}": {why}']


def test_strategy_folders_in_a_variable_are_separated_as_in_path():
    settings = load({"STRATD_STRATEGIES__PATH": "/a:/b"}, uid=0)
    assert settings.strategies.path == [Path("/a"), Path("/b")]


def test_a_feed_for_another_deployment_s_quota_is_a_share_of_what_was_asked():
    assert load({}, uid=0).quota.limits(memory=2**26, cpu=0.1).memory == 2**26


def test_settings_cannot_be_changed():
    settings = load({}, uid=0)
    with pytest.raises(ValidationError, match="frozen"):
        settings.quota.cpu = 2.0


def test_no_secret_is_ever_printed():
    environ = dict.fromkeys(("REDIS_URL",), "redis://:hunter2@h")
    environ |= {
        "REDIS_PASSWORD": "hunter2",
        "API_KEY": "hunter2" * 3,
        "DATABASE_URL": "postgresql://u:hunter2@h/d",
    }
    settings = load(environ, uid=0)
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


# ---- what is wrong --------------------------------------------------------------------------------
WRONG = """\
# a comment
state_dir = "relative"

[limits]
max_concurrent = -1
max_per_acount = 3

[feeds.main]
endpoint = "tcp://localhost"
mode     = "bnd"
heartbeat = "3 weeks"

[feeds.B-AD]
endpoint = "ipc:///x"

[feeds.other]
format = "native"

[strategies]
path = [
  "/ok",
  "not-ok",
]

[quota]
memory = "1M"
cpu = inf
files = true

[redis]
url = "rdis://:hunter2@host"
password = 5

[limmits]
x = 1
"""
NEAR = "'limits.max_per_account' or 'limits.max_concurrent' or 'limits.memory_overcommit'"
ENDPOINT = "tcp://HOST:PORT, or ipc:// with an absolute path of at most 107 bytes"
SPAN = "seconds, or numbers with ms, s, m, h or d, as in 250ms or 1m30s"
SIZE = "bytes, or a number with K, M, G or T (powers of 1024), as in 256M"


TOLD = f"""\
2: state_dir = "relative": must be an absolute path
5: limits.max_concurrent = -1: must be a whole number from 1 to 10000
6: there is no setting limits.max_per_acount; did you mean {NEAR}?
9: feeds.main.endpoint = "tcp://localhost": must be {ENDPOINT}
10: feeds.main.mode = "bnd": must be one of connect, bind
11: feeds.main.heartbeat = "3 weeks": must be a span of time from above 0s to 3600s: {SPAN}
13: feeds.B-AD = "B-AD": the name of a feed must be small letters, digits, - and _, at most 32
16: feeds.other.endpoint is missing: it must be given
20: strategies.path[1] = "not-ok": must be an absolute path
26: quota.memory = "1M": must be a size from 8M to 1T: {SIZE}
27: quota.cpu = Infinity: must be a number from above 0 to 1024
28: quota.files = true: must be a whole number from 16 to 65536
31: redis.url = "rdis://...": must be a URL that begins with redis:// or rediss:// or unix://
32: redis.password (value not shown): must be a text
34: there is no setting limmits; did you mean 'limits'?
"""


def test_every_mistake_of_a_file_is_told_at_once_with_its_line(tmp_path):
    told = [line.removeprefix("stratd.toml:") for line in mistakes(WRONG, tmp_path)]
    assert sorted(told, key=lambda line: int(line.split(":")[0])) == TOLD.splitlines()


def test_a_wrong_variable_is_named(tmp_path):
    environ = {"MAX_CONCURRENT_STRATEGIES": "many", "STRATD_QUOTA__CPU": "-1"}
    assert sorted(mistakes("", tmp_path, environ)) == [
        (
            'variable MAX_CONCURRENT_STRATEGIES: limits.max_concurrent = "many": '
            "must be a whole number from 1 to 10000"
        ),
        'variable STRATD_QUOTA__CPU: quota.cpu = "-1": must be a number from above 0 to 1024',
    ]


def test_what_is_near_to_nothing_is_told_what_there_is(tmp_path):
    setting, section = mistakes("[foo]\nx = 1\n[log]\nzzzzzzz = 1", tmp_path)
    assert section.startswith("stratd.toml:1: there is no setting foo; there are accounts, api, budgets, ")
    assert setting.startswith("stratd.toml:4: there is no setting log.zzzzzzz; there are ")


def test_an_unknown_variable_lists_near_ones_whichever_part_is_wrong(tmp_path):
    for wrong in ("STRATD_LIMTS__MAX_CONCURRENT", "STRATD_LIMITS__MAX_CONCURENT"):
        (line,) = mistakes("", tmp_path, {wrong: "4"})
        assert line.startswith(f"variable {wrong}: there is no setting ")
        assert "did you mean 'STRATD_LIMITS__MAX_CONCURRENT'" in line


def test_a_section_given_as_a_value_is_told_to_be_a_table(tmp_path):
    environ = {"STRATD_LIMITS": "5", "STRATD_LIMITS__MAX_CONCURRENT": "4"}
    assert mistakes("", tmp_path, environ) == [
        'variable STRATD_LIMITS: limits = "5": must be a table, [limits]'
    ]


def test_a_budget_whose_halves_disagree_is_refused_on_its_own_line(tmp_path):
    text = '[budgets]\nerrors_in_a_row = 3\n[budgets.tick]\nsoft = "3s"\n'
    assert mistakes(text, tmp_path) == [
        "stratd.toml:3: budgets.tick: soft (3 s) must not be longer than hard (2 s)"
    ]


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    assert mistakes("[limits]\nmax_concurrent = = 3\n", tmp_path) == [
        "stratd.toml:2: is not TOML: invalid value"
    ]


def test_a_file_that_ends_too_early_is_told_too(tmp_path):
    (line,) = mistakes('[limits]\nx = "abc', tmp_path)
    assert line.startswith("stratd.toml:2: is not TOML: ")


def test_a_named_file_that_is_not_there_is_an_error_and_the_default_one_is_not(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read: No such file or directory"):
        load({}, file=tmp_path / "gone.toml", uid=0)
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read"):
        load({"STRATD_CONFIG": str(tmp_path / "gone.toml")}, uid=0)


def test_a_binary_file_is_told_to_be_no_text(tmp_path):
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load({}, file=tmp_path / "b.toml", uid=0)


def test_a_file_without_an_end_is_told_to_be_too_large():
    with pytest.raises(SettingsError, match=r"^/dev/zero: is larger than 1 MiB, which no settings are$"):
        load({}, file=Path("/dev/zero"), uid=0)
    assert api_socket({"STRATD_CONFIG": "/dev/zero"}, 0) == Path("/run/stratd/api.sock")


def test_an_unknown_credential_is_told_with_near_matches(tmp_path):
    (tmp_path / "redis_passwd").write_text("hunter2")
    with pytest.raises(SettingsError) as caught:
        load({"CREDENTIALS_DIRECTORY": str(tmp_path)}, uid=0)
    assert f"credential {tmp_path}/redis_passwd: there is no setting redis_passwd" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_no_wrong_secret_is_shown(tmp_path):
    text = '[redis]\nurl = "hunter2"\n[services]\ntrading_gateway_url = "ftp://u:hunter2@h"\n'
    assert "hunter2" not in "\n".join(mistakes(text, tmp_path))


@pytest.mark.parametrize("key", ["endpoint", "replay_endpoint"])
@pytest.mark.parametrize(
    "endpoint", ["tcp://*:5600", "tcp://10.0.0.7:5600", "tcp://[::]:5600", "tcp://host.example:5600"]
)
def test_signals_leave_the_host_with_a_curve_key_only(tmp_path, key, endpoint):
    text = f'[signals]\n{key} = "{endpoint}"\n'
    (line,) = mistakes(text, tmp_path)
    assert line == (
        f'stratd.toml:2: signals.{key} = "{endpoint}": can be reached from other hosts, '
        "so it needs signals.curve_secret_key"
    )
    spec = of(f'{text}curve_secret_key = "{SECRET}"', tmp_path).signals.spec()
    assert (getattr(spec, key), spec.curve_secret_key) == (endpoint, SECRET)


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:5600", "tcp://127.9.9.9:5600", "tcp://[::1]:5600", "tcp://localhost:5600",
                 "ipc:///run/x"],
)  # fmt: skip
def test_on_the_host_itself_signals_need_no_key(tmp_path, endpoint):
    spec = of(f'[signals]\nendpoint = "{endpoint}"\n', tmp_path).signals.spec()
    assert spec == SignalsSpec(endpoint=endpoint)


@pytest.mark.parametrize("key", ["hunter2", SECRET[:-1] + "'", "#" * 40, SECRET + "0"])
def test_what_is_no_curve_key_is_told_without_showing_it(tmp_path, key):
    text = f'[signals]\nendpoint = "tcp://*:5600"\ncurve_secret_key = "{key}"\n'
    (line,) = mistakes(text, tmp_path)
    assert line == (
        "stratd.toml:3: signals.curve_secret_key (value not shown): "
        "must be a CURVE key, 40 characters of Z85 (zmq_curve_keypair(3))"
    )
    feed = f'[feeds.main]\nendpoint = "ipc:///f"\ncurve_server_key = "{key}"\n'
    assert "must be a CURVE key, 40 characters of Z85" in mistakes(feed, tmp_path)[0]


def test_the_key_is_in_no_text_of_what_the_engine_is_told(tmp_path):
    spec = of(f'[signals]\ncurve_secret_key = "{SECRET}"', tmp_path).signals.spec()
    assert SECRET not in repr(Configure([], signals=spec))


@given(st.binary(min_size=32, max_size=32))
@example(b"\xff" * 32)
def test_whatever_may_be_written_as_z85_is_a_key(raw):
    written = z85.encode(raw).decode()
    assert curve_key(written) == written


# ---- lines ----------------------------------------------------------------------------------------
TRICKY = '''\
a = """
b = 1
"""
"q u" = { x = 1, y = [1, 2] }
dotted.deep.key = 3

[[tables]]
n = 1
[[tables]]
n = [
  1,
  2,
]
'''


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("a",), 1), (("q u", "y", 1), 4), (("dotted", "deep", "key"), 5), (("tables", 0, "n"), 8),
        (("tables", 1), 9), (("tables", 1, "n"), 10), (("tables", 1, "absent"), 9), (("absent",), 1),
    ],
)  # fmt: skip
def test_a_line_is_found_however_toml_writes_the_key(loc, line):
    assert line_of(TRICKY, loc) == line


KEYS = st.sampled_from(["alpha", "beta", "gamma"])


@given(st.lists(st.tuples(KEYS, KEYS, st.integers(0, 9)), max_size=12, unique_by=lambda item: item[:2]))
def test_the_line_of_a_key_is_the_line_that_holds_it(entries):
    text = "".join(f"\n# {value}\n{table}.{key} = {value}\n" for table, key, value in entries)
    tomllib.loads(text)
    lines = text.splitlines()
    for table, key, value in entries:
        assert lines[line_of(text, (table, key)) - 1] == f"{table}.{key} = {value}"


# ---- documentation --------------------------------------------------------------------------------
def test_a_layer_that_there_is_not_is_told_with_those_that_there_are(tmp_path):
    (told,) = mistakes('[sandbox]\nrequire = ["seccomp", "landlok"]\n', tmp_path)
    assert told.startswith('stratd.toml:2: sandbox.require[1] = "landlok": must be one of own process, ')
    assert of("[sandbox]\nrequire = []\n", tmp_path).sandbox.require == []
    variable = {"STRATD_SANDBOX__REQUIRE": "cgroup:own process"}
    assert of("", tmp_path, variable).sandbox.require == ["cgroup", "own process"]


def test_every_setting_is_documented():
    text = DOCS.read_text()
    missing = [variable(loc) for loc in settings_of(Settings) if f"`{loc[-1]}`" not in text]
    assert (missing, [name for name in PLAIN_NAMES if name not in text]) == ([], [])


def test_the_example_of_the_documentation_is_a_valid_file(tmp_path):
    blocks = [part.split("```")[0] for part in DOCS.read_text().split("```toml\n")[1:]]
    assert blocks
    for block in blocks:
        of(block, tmp_path)


def test_a_path_that_is_no_text_is_told_in_words_of_the_file(tmp_path):
    with pytest.raises(SettingsError, match=r":2: strategies\.path\[0\] = 3: must be a path, as text$"):
        of("[strategies]\npath = [3]\n", tmp_path)
