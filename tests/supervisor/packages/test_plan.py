"""What is installed, from where, under which name and by which command: decided without touching anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.requirements import Lock, parse
from supervisor.packages import plan
from supervisor.packages.plan import Platform, Source

DAY = 86_400.0
HERE = Platform("3.11.7", "cpython-311-x86_64-linux-gnu")
WORK, SITE = Path("/state/packages/k.new/work"), Path("/state/packages/k.new/site")


def lock(*pins: str) -> Lock:
    found = parse("".join(f"{pin} --hash=sha256:{'a' * 64}\n" for pin in pins), [])
    assert found is not None
    return found


def test_the_key_is_of_the_packages_and_not_of_how_they_are_written_down():
    assert plan.key(lock("a==1", "b_c==2"), HERE) == plan.key(lock("B-C==2", "A==1"), HERE)


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (lock("a==2"), HERE),
        (lock("a==1", "b==1"), HERE),
        (lock("a==1"), Platform("3.11.8", HERE.abi)),
        (lock("a==1"), Platform("3.11.7", "cpython-311-aarch64-linux-gnu")),
    ],
)
def test_other_packages_and_other_platforms_have_other_keys(other, where):
    assert plan.key(lock("a==1"), HERE) != plan.key(other, where)


def test_the_key_is_the_name_of_a_folder():
    assert 32 == len(plan.key(lock("a==1"), HERE))
    assert plan.key(lock("a==1"), HERE).isalnum()


def test_nothing_is_installed_unless_the_operator_says_from_where():
    assert (
        "it needs 2 packages (a, b), and this daemon installs none; where from is said by [packages] "
        "index = URL or wheelhouse = FOLDER"
    ) == plan.objection(lock("a==1", "b==1"), Source(), "/bin/uv")
    assert (
        "it needs 1 package (a), and uv, which installs them, is missing: pip install 'stratd[packages]', or "
        "put uv on the PATH of the daemon"
    ) == plan.objection(lock("a==1"), Source(wheelhouse="/w"), None)
    assert plan.objection(lock("a==1"), Source(wheelhouse="/w"), "/bin/uv") == ""
    assert plan.objection(lock("a==1"), Source(index="https://i"), "/bin/uv") == ""


def test_many_packages_are_named_in_part():
    assert "7 packages (a, b, c, d, e, ...)" == plan.counted(lock(*(f"{name}==1" for name in "abcdefg")))


def test_nothing_is_built_resolved_or_read_from_elsewhere():
    command = plan.command("/bin/uv", "/bin/python", Source(index="https://i"), WORK, SITE)
    for word in ("--require-hashes", "--no-deps", "--no-build", "--no-config", "--no-python-downloads"):
        assert word in command
    assert str(SITE) == command[command.index("--target") + 1]
    assert "/bin/python" == command[command.index("--python") + 1]
    assert str(WORK / "requirements.txt") == command[command.index("--requirements") + 1]


def test_the_environment_of_an_installer_is_literal_but_for_the_way_out():
    environ = dict.fromkeys(
        ["PATH", "HOME", "LD_PRELOAD", "PYTHONPATH", "UV_INDEX", "UV_PYTHON", "API_KEY"], "/evil"
    ) | {"https_proxy": "http://proxy:3128", "SSL_CERT_FILE": "/etc/ca.pem"}
    index = plan.environment(Source(index="https://user:word@index.example/simple"), WORK, environ)
    assert {
        "PATH", "HOME", "TMPDIR", "LANG", "https_proxy", "SSL_CERT_FILE", "UV_DEFAULT_INDEX",
        "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS", "UV_KEYRING_PROVIDER",
    } == set(index)  # fmt: skip
    assert "https://user:word@index.example/simple" == index["UV_DEFAULT_INDEX"]
    assert "/usr/local/bin:/usr/bin:/bin" == index["PATH"]
    assert str(WORK) == index["HOME"]


def test_a_wheelhouse_needs_no_network():
    source = Source(wheelhouse="/my wheels, all")
    command = plan.command("/bin/uv", "/bin/python", source, WORK, SITE)
    assert ["--offline", "--no-index", "-f", "file:///my%20wheels%2C%20all"] == command[-4:]
    environment = plan.environment(source, WORK, {"HTTPS_PROXY": "http://proxy:3128"})
    assert not {"UV_DEFAULT_INDEX", "HTTPS_PROXY"} & set(environment)


def test_the_password_of_an_index_is_in_no_command_and_nothing_shown():
    source = Source(index="https://user:s3cret@index.example:8443/simple/")
    assert "https://index.example/simple/" == source.shown
    said = "error: Failed to fetch: https://user:s3cret@index.example:8443/simple/a/ (s3cret)"
    assert "error: Failed to fetch: https://****@index.example:8443/simple/a/ (****)" == plan.hide(
        said, source
    )
    assert "user" == plan.hide("user", Source(index="https://index.example"))
    assert "s3cret" not in " ".join(plan.command("/bin/uv", "/bin/python", source, WORK, SITE))


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (
            "Resolved 1 package\nerror: Failed to download `a`\n  cause: Hash mismatch\n\n   Expected:\n",
            "Failed to download `a`: Hash mismatch",
        ),
        (
            "error: No solution found\n  cause: Because a has no wheels\n\nhint: Wheels are required\n",
            "No solution found: Because a has no wheels: Wheels are required",
        ),
        ("Killed\n", "Killed"),
        ("", ""),
        ("hint: none\nerror: x\n", "x"),
    ],
)
def test_the_reason_is_what_uv_calls_error_and_cause(output, why):
    assert why == plan.reason(output.splitlines())


@given(st.lists(st.text()))
def test_the_reason_is_always_one_short_line(output):
    lines = [part for text in output for part in text.splitlines()]
    assert len(plan.reason(lines)) <= 503
    assert plan.reason(lines).count("\n") == 0


def test_packages_go_when_no_deployment_needs_them_and_none_did_for_a_week():
    now = 100 * DAY
    used = {"wanted": 0.0, "fresh": now - 6 * DAY, "old": now - 8 * DAY, "ancient": 0.0}
    assert ["ancient", "old"] == plan.unused(used, {"wanted"}, now)
