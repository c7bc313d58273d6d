"""A daemon on what an earlier version left: it goes on from there; and one on what a later version left."""

from __future__ import annotations

import pytest

from supervisor.store import formats
from supervisor.store.formats import FORMATS, Formats
from tests.scenarios.rig import Site
from tests.supervisor import older_states

pytestmark = pytest.mark.system
BUYER = """
def on_tick(self, data):
    return buy(data)
"""


@pytest.fixture
def site(new_site) -> Site:
    site = new_site()
    site.with_feed().strategy("buyer", BUYER)
    return site


@pytest.mark.parametrize("version", older_states.NAMES)
def test_what_ran_under_an_earlier_version_goes_on_with_its_books(site: Site, version: str):
    older_states.make(version, site.state)
    daemon = site.daemon()
    (told,) = daemon.events("state_migrated")
    assert f"{site.state} of an older version was migrated (database " in told["detail"]
    assert daemon.until_state("buyer", "running")["generation"] == 3
    assert daemon.row("idle-one")["state"] == "stopped"
    daemon.until(lambda: daemon.row("buyer")["signals"]["accepted"] == 6, "its six signals counted")
    (held,) = site.stratd("positions", "--json").json
    assert (held["symbol"], held["quantity"]) == ("EURUSD", 5.0), "the sixth order waits"
    assert daemon.terminate() == 0
    daemon = site.daemon()
    assert len(daemon.events("state_migrated")) == 1, "once"
    assert daemon.terminate() == 0


def test_a_directory_of_a_later_version_ends_the_daemon_with_one_line(site: Site):
    older_states.make("schema4", site.state)
    formats.write(site.state, Formats(written_by="9.9.0", formats={**FORMATS, "tape": 3}))
    daemon = site.daemon(ready=False)
    assert daemon.wait() == 1
    assert "was written by stratd 9.9.0: its tape has format 3" in daemon.stderr()
    assert "Traceback" not in daemon.stderr()
    assert not (site.state / "identity").exists(), "nothing was begun in it"
