"""What is asked of a host: real sockets, real certificates, real folders."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from sandbox.confine.clock import read_clock
from supervisor.checkup import certificate, place, reach
from supervisor.checkup.distribution import REDIS
from supervisor.config import Settings, load
from supervisor.doctor import examine
from tests.ports import HOST, free_port
from tests.supervisor.test_doctor import by_name, surveyed

pytestmark = pytest.mark.system


def settings(folder: Path, text: str = "", **environ: str) -> Settings:
    path = folder / "stratd.toml"
    path.write_text(f'state_dir = "{folder}/state"\nruntime_dir = "{folder}/run"\n{text}')
    return load(environ, file=path, uid=1000)


class Silent:
    """A listener that takes connections and keeps all that it is sent; it never answers."""

    def __init__(self) -> None:
        self.heard = b""
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            while data := connection.recv(4096):
                self.heard += data

    def close(self) -> None:
        self._thread.join(60)
        self.listener.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


def test_the_kernels_clock_can_be_asked_by_anybody():
    try:
        reading = read_clock()
    except OSError as error:
        pytest.skip(f"not here: {error}")
    assert reading.max_error >= 0


# ---- what is reached ------------------------------------------------------------------------------
def test_a_route_is_connected_to_and_sent_nothing(silent, tmp_path):
    url = f"http://user:hunter2@{HOST}:{silent.port}/orders"
    now = settings(tmp_path, f'[routes.out]\nkind = "http"\nurl = "{url}"\n')
    (view,) = reach.look(now, "debian")
    assert (view.name, view.state, view.detail) == (
        "route out", "active", f"{HOST}:{silent.port} takes connections",
    )  # fmt: skip
    silent.close()
    assert silent.heard == b""


def test_what_is_configured_and_not_there_is_missing_and_no_secret_is_told(tmp_path):
    port = free_port()
    now = settings(
        tmp_path,
        f"""
        [routes.a]
        kind = "http"
        url = "http://user:hunter2@{HOST}:{port}/"
        [routes.b]
        kind = "zmq"
        url = "ipc://{tmp_path}/gateway"
        [routes.c]
        kind = "smoke-signals"
        [database]
        url = "postgresql://user:hunter2@localhost:{port}/stratd"
        [services]
        risk_management_url = "http://user:hunter2@{HOST}:{port}/"
        """,
    )
    report = examine(now, surveyed())
    assert report.missing == ["database", "risk service", "route a", "route b", "route c"]
    views = by_name(report.host)
    assert views["route a"].detail == f"{HOST}:{port}: Connection refused"
    assert views["route b"].detail == f"{tmp_path}/gateway: No such file or directory"
    assert views["route c"].detail == 'kind "smoke-signals": no such kind is installed'
    assert "postgresql" in views["database"].command
    assert "hunter2" not in report.model_dump_json()


def test_the_command_for_a_redis_of_this_host_is_that_of_its_distribution(tmp_path):
    here = settings(tmp_path, REDIS_URL=f"unix://{tmp_path}/redis.sock")
    assert [view.command for view in reach.look(here, "arch")] == [REDIS["arch"]]
    elsewhere = settings(tmp_path, REDIS_URL=f"redis://{HOST}:{free_port()}")
    assert [view.command for view in reach.look(elsewhere, "arch")] == [""]


# ---- the certificate ------------------------------------------------------------------------------
def issued(folder: Path, until: datetime) -> Path:
    made = trustme.CA().issue_cert("localhost", not_after=until)
    path = folder / "server.pem"
    made.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def test_when_a_certificate_ends_is_read_of_what_a_client_would_be_shown(tmp_path):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    cert = issued(tmp_path, until)
    api = settings(tmp_path, f'[api]\ntls_cert = "{cert}"\n').api
    (view,) = certificate.look(api, datetime.now(UTC))
    assert (view.state, view.detail) == ("active", f"{cert}, until {until:%Y-%m-%d}")
    (later,) = certificate.look(api, until - timedelta(days=3, hours=1))
    assert (later.state, later.detail) == ("available", f"{cert}, until {until:%Y-%m-%d}: 3 days")


def test_mutual_tls_does_not_hide_when_it_ends(tmp_path):
    cert = issued(tmp_path, datetime.now(UTC) + timedelta(days=90))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    api = settings(tmp_path, f'[api]\ntls_cert = "{cert}"\ntls_client_ca = "{tmp_path}/ca.pem"\n').api
    assert [view.state for view in certificate.look(api, datetime.now(UTC))] == ["active"]


def test_a_certificate_that_has_ended_or_cannot_be_read_is_missing(tmp_path):
    cert = issued(tmp_path, datetime.now(UTC) - timedelta(days=1))
    now = settings(tmp_path, f'[api]\ntls_cert = "{cert}"\n')
    report = examine(now, surveyed())
    assert report.missing == ["certificate"]
    assert by_name(report.host)["certificate"].detail == f"{cert}: certificate has expired"
    cert.unlink()
    (view,) = certificate.look(now.api, datetime.now(UTC))
    assert (view.state, view.detail) == ("missing", f"api.tls_cert: {cert}: No such file or directory")


# ---- places ---------------------------------------------------------------------------------------
def test_a_port_that_somebody_chose_and_another_has_is_missing(silent, tmp_path):
    socket.create_connection((HOST, silent.port)).close()
    api = settings(tmp_path, f'[api]\nhost = "{HOST}"\nport = {silent.port}\n').api
    view = place.port(api, tmp_path / "api.sock", ())
    assert (view.state, view.command) == ("missing", f"ss -ltnp 'sport = :{silent.port}'")
    assert view.detail.startswith(f"{HOST}:{silent.port}: cannot listen there: Address already in use")


def test_a_port_that_systemd_may_hold_for_stratd_is_not_missing(silent, tmp_path):
    socket.create_connection((HOST, silent.port)).close()
    (tmp_path / "stratd-http.socket").touch()
    api = settings(tmp_path, f'[api]\nhost = "{HOST}"\nport = {silent.port}\n').api
    assert place.port(api, tmp_path / "api.sock", (tmp_path,)).state == "available"


def test_a_port_that_is_free_is_free_afterwards(tmp_path):
    api = settings(tmp_path, f'[api]\nhost = "{HOST}"\nport = {free_port()}\n').api
    assert place.port(api, tmp_path / "api.sock", ()).detail == f"{HOST}:{api.port} is free"
    socket.create_server((HOST, api.port)).close()


def test_while_a_daemon_runs_the_port_is_its_own(silent, tmp_path):
    socket.create_connection((HOST, silent.port)).close()
    api = settings(tmp_path, f'[api]\nhost = "{HOST}"\nport = {silent.port}\n').api
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "s"))
        daemon.listen()
        assert place.port(api, tmp_path / "s", ()).state == "active"
    assert place.port(api, tmp_path / "s", ()).state == "missing", "that socket is a dead daemon's"


def test_no_port_is_wanted_where_it_is_0(tmp_path):
    assert place.port(settings(tmp_path, PORT="0").api, tmp_path / "s", ()).state == "off"


def test_a_unit_is_found_where_systemd_looks_for_it(tmp_path):
    (tmp_path / "units").mkdir()
    folders = (tmp_path / "nowhere", tmp_path / "units")
    assert place.unit(folders, tmp_path / "none").detail == "systemd does not run here"
    assert place.unit(folders, tmp_path).command == "stratd systemd install"
    (tmp_path / "units" / "stratd.service").touch()
    found = place.unit(folders, tmp_path)
    assert (found.state, found.detail) == ("active", f"{tmp_path}/units/stratd.service")


def test_the_disk_is_that_of_the_folder_that_is_to_be_made(tmp_path):
    assert place.disk(tmp_path / "state" / "deeper", 0).state == "active"
    view = place.disk(tmp_path / "state", 2**62)
    assert view.state == "missing"
    assert view.detail.endswith("(limits.disk_reserve): nothing is started")
