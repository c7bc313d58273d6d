"""``/metrics`` over the real server: who may, and how requests are counted."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row

pytestmark = pytest.mark.system


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    daemon = FakeDaemon()
    daemon.rows["eurusd"] = make_row("eurusd")
    with (
        Served(daemon) as served,
        httpx.Client(
            transport=httpx.HTTPTransport(uds=str(served.path)), base_url="http://x", timeout=60
        ) as client,
    ):
        yield client


def requests(client: httpx.Client) -> dict[tuple[str, str, str], float]:
    """Return what was counted, by (method, route, status)."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == "stratd_http_requests_total"
    }


def test_requests_are_counted_by_the_template_of_their_route(client):
    for name in ("eurusd", "gold", "silver"):
        client.get(f"/api/v1/deployments/{name}")
    client.get("/no/such/route")
    counted = requests(client)
    one = "/api/v1/deployments/{deployment_id}"
    assert counted["GET", one, "200"] == 1.0
    assert counted["GET", one, "404"] == 2.0
    assert [route for _, route, status in counted if "such" in route] == []


def test_a_scrape_is_text_that_prometheus_reads(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.text.startswith("# HELP stratd_build_info")


def test_what_a_client_invents_makes_no_series(client):
    before = len(requests(client))
    for number in range(20):
        client.request("BREW", f"/coffee/{number}")
    assert len(requests(client)) <= before + 2  # the scrape itself, and one for all of these
