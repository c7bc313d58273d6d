"""What a reload changes of an API that serves: the first key, the rates, a certificate. Real TLS."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from supervisor.api.following import Following
from supervisor.api.listeners import Tls
from supervisor.config import Settings, load
from tests.supervisor.test_doors import FIRST, World, over_tls

pytestmark = pytest.mark.system
SECOND = "another-key-of-the-settings"


class Authority:
    """A certificate authority whose certificates are written over each other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ca = folder, trustme.CA()
        self.issue()

    def issue(self) -> None:
        issued = self._ca.issue_cert("127.0.0.1", "localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "server.pem"))

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        return context


def settings(folder: Path, **environ: str) -> Settings:
    return load({"STRATD_STATE_DIR": str(folder), **environ}, uid=1000)


def serial(world: World, client: ssl.SSLContext) -> object:
    """Return the number of the certificate that a client is shown now."""
    with world.dial() as plain, client.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
        return secured.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_shown_to_who_comes_next_and_a_broken_one_is_not(tmp_path):
    authority = Authority(tmp_path)
    problems: dict[str, str] = {}
    with World(tls=Tls(tmp_path / "server.pem")) as world:
        follow = Following(settings(tmp_path), world.guards.keys, world.served.server, problems)
        client = authority.client()
        before = serial(world, client)
        authority.issue()
        assert serial(world, client) == before, "nobody has read it yet"
        again = settings(tmp_path, API_KEY=FIRST)
        assert world.run(follow(again)) == []
        renewed = serial(world, client)
        assert renewed != before

        shutil.copy(tmp_path / "server.pem", tmp_path / "good.pem")
        (tmp_path / "server.pem").write_text("no certificate")
        (told,) = world.run(follow(again))
        assert told.startswith(f"api.tls_cert: {tmp_path}/server.pem: ")
        assert told.endswith("; the certificate that was read before is still shown")
        assert (problems, serial(world, client)) == ({"certificate": told}, renewed)
        shutil.copy(tmp_path / "good.pem", tmp_path / "server.pem")
        assert (world.run(follow(again)), problems) == ([], {})
        assert over_tls(world, client).status == 200


def test_another_first_key_takes_the_place_of_the_old_one_at_once(tmp_path):
    with World() as world:
        now = settings(tmp_path, API_KEY=FIRST)
        follow = Following(now, world.guards.keys, world.served.server, {})
        assert world.ask("/api/v1/status", FIRST).status == 200
        world.run(follow(settings(tmp_path, API_KEY=SECOND)))
        assert [world.ask("/api/v1/status", key).status for key in (FIRST, SECOND)] == [401, 200]
        world.run(follow(settings(tmp_path)))
        assert world.ask("/api/v1/status", SECOND).status == 401


def test_a_reload_that_leaves_the_rates_alone_does_not_give_anybody_new_ones(tmp_path):
    with World(rate="3/hour") as world:
        now = settings(tmp_path, API_KEY=FIRST, STRATD_API__RATE="3/hour")
        follow = Following(now, world.guards.keys, world.served.server, {})
        world.ask("/api/v1/status", FIRST)
        world.run(follow(now))
        world.ask("/api/v1/status", FIRST)
        assert '"key";r=0;' in world.ask("/api/v1/status", FIRST).headers["ratelimit"]
        world.run(follow(settings(tmp_path, API_KEY=FIRST, STRATD_API__RATE="9/hour")))
        assert '"key";r=8;' in world.ask("/api/v1/status", FIRST).headers["ratelimit"]
