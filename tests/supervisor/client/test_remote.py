"""Both clients over TCP and TLS, with a key: the real server, real certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from supervisor.api.app import Guards
from supervisor.api.door import Keys
from supervisor.api.listeners import Tls
from supervisor.api.server import Tcp
from supervisor.client import BrokenOff, ClientError, Unauthorized, Untrusted
from supervisor.keys.keyring import Keyring
from supervisor.keys.record import KeyRecord
from tests.ports import HOST, free_port
from tests.supervisor.fake_daemon import FakeDaemon, Served

pytestmark = pytest.mark.system

BOOTSTRAP = "a bootstrap key of the test".replace(" ", "-")
ONCE = {"retries": 0}


class NoShelf:
    """Keeps no key: the bootstrap key, which is never kept, is the only one."""

    def load(self) -> list[KeyRecord]:
        return []


@pytest.fixture
def guards() -> Guards:
    async def at_once(ask):
        return ask()

    ring = Keyring(NoShelf(), at_once, bootstrap=BOOTSTRAP, note=lambda _kind, _detail: None)
    return Guards(keys=Keys(ring, rate="1000/second", failures="1000/second"))


class Certificates:
    """An authority, what the server shows, and what a client may show."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.server, self.client = str(folder / "server.pem"), str(folder / "client.pem")
        self.issue(HOST)
        self.authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(self.client)

    def issue(self, name: str) -> None:
        """Have the server show a certificate for ``name``."""
        self.authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(self.server)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def plain(daemon: FakeDaemon, guards: Guards) -> Iterator[str]:
    tcp = Tcp(host=HOST, port=free_port())
    with Served(daemon, guards=guards, tcp=tcp):
        yield f"http://{HOST}:{tcp.port}"


@pytest.fixture
def secure(daemon: FakeDaemon, guards: Guards, certificates: Certificates) -> Iterator[str]:
    tcp = Tcp(host=HOST, port=free_port(), tls=Tls(Path(certificates.server)))
    with Served(daemon, guards=guards, tcp=tcp):
        yield f"https://{HOST}:{tcp.port}"


@pytest.fixture
def mutual(daemon: FakeDaemon, guards: Guards, certificates: Certificates) -> Iterator[str]:
    tls = Tls(Path(certificates.server), client_ca=Path(certificates.ca))
    tcp = Tcp(host=HOST, port=free_port(), tls=tls)
    with Served(daemon, guards=guards, tcp=tcp):
        yield f"https://{HOST}:{tcp.port}"


def test_a_key_opens_the_door_and_none_does_not(plain, do):
    assert [row.id for row in do(plain, "deployments", options={"key": BOOTSTRAP})] == ["eurusd", "gold"]
    assert do(plain, "health").status == "healthy"
    for key in (None, "stratd_" + "0" * 12 + "_" + "0" * 64):
        with pytest.raises(Unauthorized) as refused:
            do(plain, "deployments", options={"key": key, **ONCE})
        assert refused.value.status == 401
        assert refused.value.request_id


def test_a_change_over_tcp_is_answered_once_however_often_it_is_asked(plain, daemon, do):
    assert do(plain, "pause_account", "default", options={"key": BOOTSTRAP}).changed
    assert [call[0] for call in daemon.calls] == ["pause"]


def test_the_key_of_the_environment_is_shown(plain, do, monkeypatch):
    monkeypatch.setenv("STRATD_API_KEY", BOOTSTRAP)
    monkeypatch.setenv("STRATD_URL", plain)
    assert do(None, "status").pid == 4242


def test_tls_is_trusted_by_its_authority_and_by_no_other(secure, certificates, do):
    known = {"key": BOOTSTRAP, "verify": certificates.ca}
    assert do(secure, "status", options=known).pid == 4242
    with pytest.raises(Untrusted, match="is not trusted"):
        do(secure, "status", options={"key": BOOTSTRAP})
    assert do(secure, "status", options={"key": BOOTSTRAP, "verify": False}).pid == 4242


def test_a_certificate_for_another_name_is_not_trusted(daemon, guards, certificates, do):
    certificates.issue("localhost")
    tcp = Tcp(host=HOST, port=free_port(), tls=Tls(Path(certificates.server)))
    with (
        Served(daemon, guards=guards, tcp=tcp),
        pytest.raises(Untrusted, match="is not trusted"),
    ):
        do(f"https://{HOST}:{tcp.port}", "status", options={"verify": certificates.ca, **ONCE})


def test_where_both_show_a_certificate_one_without_is_turned_away(mutual, certificates, do):
    known = {"key": BOOTSTRAP, "verify": certificates.ca}
    assert do(mutual, "status", options={**known, "cert": certificates.client}).pid == 4242
    # A server of TLS 1.3 finds out after its client thinks that all is well, and may only hang up.
    with pytest.raises((Untrusted, BrokenOff), match="certificate"):
        do(mutual, "status", options={**known, **ONCE})


def test_plain_http_at_a_port_of_tls_is_told_as_what_it_is(secure, do):
    with pytest.raises(ClientError) as told:
        do(secure.replace("https", "http"), "status", options=ONCE)
    assert "\n" not in str(told.value)
