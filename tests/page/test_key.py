"""The page over TCP, where each request needs a key: the real server and its doors before a fake daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from supervisor.api.app import Guards
from supervisor.api.door import Keys
from supervisor.api.listeners import listen_tcp
from supervisor.api.server import Tcp
from supervisor.keys.keyring import Keyring
from tests.page.chromium import TIMEOUT, shots
from tests.page.conftest import Watched
from tests.scenarios.rig import PATIENCE
from tests.supervisor.fake_access import MemoryShelf, at_once
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT)]
expect.set_options(timeout=PATIENCE * 1000)
KEY = "a-key-of-the-settings"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> & <script>document.title='hacked'</script>"


@pytest.fixture
def ring() -> Keyring:
    return Keyring(MemoryShelf(), at_once, bootstrap=KEY)


def made(ring: Keyring, *scopes: str, expires_at: int | None = None) -> str:
    """Return a new key; on a thread, for in this one Playwright's loop runs."""
    asked = ring.create(name="clerk", scopes=scopes, account="", expires_at=expires_at, by="test")
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, asked).result()[1]


@pytest.fixture
def pages(browser: Browser, ring: Keyring, tmp_path: Path) -> Iterator[Watched]:
    """Open pages of a daemon that lets nobody in without its key."""
    daemon = FakeDaemon()
    daemon.rows["eurusd"] = make_row("eurusd").model_copy(update={"reason": HOSTILE, "state": "backoff"})
    keys = Keys(ring, rate="1000/second", failures="1000/minute")
    listener = listen_tcp("127.0.0.1", 0)
    port = listener.getsockname()[1]
    tcp = Tcp(host="127.0.0.1", port=0, tls=None)
    with Served(daemon, guards=Guards(keys=keys), tcp=tcp, inherited={"http": listener}):
        watched = Watched(browser, f"http://127.0.0.1:{port}", shots(tmp_path))
        watched.expected = "status of 401"  # the browser's own words
        yield watched
        assert [] == watched.close()


def test_the_key_is_asked_for_once_and_kept_for_this_tab_alone(pages):
    page = pages.open("/")
    dialog = page.get_by_role("dialog", name="Key needed")
    expect(dialog.get_by_label("Key", exact=True)).to_be_focused()
    pages.keep(page, "key")
    page.keyboard.type("no-such-key-at-all")
    page.keyboard.press("Enter")
    expect(dialog).not_to_contain_text("This daemon asks who you are.")  # now it says what is wrong with it
    dialog.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="eurusd")).to_be_visible()
    expect(page.locator("#link")).to_have_text("Live")
    assert [KEY] == page.evaluate("Object.values(sessionStorage)")
    assert [] == page.evaluate("Object.values(localStorage)")
    assert "" == page.evaluate("document.cookie")
    page.reload()
    expect(page.get_by_role("link", name="eurusd")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_who_gives_no_key_is_not_asked_again_until_they_want_to(pages):
    page = pages.open("/")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    outage = page.get_by_role("alert").filter(has_text="This daemon wants to know who you are.")
    expect(outage).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    outage.get_by_role("button", name="Give a key").click()
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="eurusd")).to_be_visible()
    expect(outage).to_be_hidden()


def test_what_somebody_wrote_stays_words(pages):
    page = pages.open("/")
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="Deployments")).to_contain_text(HOSTILE)
    expect(page).to_have_title("Deployments · stratd")
    assert 0 == page.locator("main img, main script").count()


def test_a_key_that_may_not_look_is_told_so_and_another_one_may(pages, ring):
    pages.expected = "status of 40[13]"
    page = pages.open("/")
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(made(ring, "trade"))
    page.keyboard.press("Enter")
    outage = page.get_by_role("alert").filter(
        has_text="Refused by scope: clerk may not look: that needs the scope 'read'"
    )
    expect(outage).to_be_visible()
    expect(page.locator("#link")).to_have_text("Refused")
    pages.keep(page, "refused")
    outage.get_by_role("button", name="Another key").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="eurusd")).to_be_visible()
    expect(outage).to_be_hidden()


def test_a_key_that_has_expired_is_told_so(pages, ring):
    page = pages.open("/")
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(made(ring, "read", expires_at=1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("expired")


def test_an_address_that_is_broken_off_is_no_end_of_the_page(pages):
    page = pages.open("/deployments/%E0%A4%A")
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page.get_by_role("link", name="All deployments").click()
    expect(page.get_by_role("link", name="eurusd")).to_be_visible()
