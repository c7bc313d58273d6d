"""What a scrape says, read back by Prometheus' own parser, and held to its conventions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus.histogram import TURNS, Buckets
from supervisor.metrics.exposition import render
from supervisor.metrics.picture import Picture
from supervisor.metrics.requests import BOUNDS, Requests
from supervisor.metrics.totals import COUNTED, Total
from supervisor.sampler import ProcessUse
from supervisor.schema import FeedView
from supervisor.schema.notifications import NotificationView
from tests.supervisor.fake_daemon import make_row

UNITS = ("_seconds", "_bytes", "_cores", "_records", "_info", "_total")
UNITLESS = {  # counts of things, and flags
    "stratd_problems", "stratd_events_unwritten", "stratd_deployments", "stratd_deployments_max",
    "stratd_deployment_running", "stratd_deployment_wanted", "stratd_deployment_latched",
    "stratd_feed_healthy", "stratd_feed_symbols", "stratd_stream_clients",
    "stratd_notification_up", "stratd_notification_waiting", "stratd_notification_lag_events",
}  # fmt: skip


def picture() -> Picture:
    requests = Requests()
    requests.note("GET", "/api/v1/deployments", 200, 0.003)
    requests.note("BREW", "unmatched", 404, 0.001)
    turns = Buckets([1] * (len(TURNS) + 1), 3.5)
    return Picture(
        version="0.1.0",
        started_at=1.5,
        deployments=[make_row("eurusd", cause="hang"), make_row('odd "name"\\')],
        totals={name: Total(list(range(len(COUNTED))), 2.5, turns) for name in ("eurusd", 'odd "name"\\')},
        deaths={("eurusd", "hang"): 2},
        verdicts={("eurusd", "rejected", "max_position"): 3},
        feeds=[
            FeedView(
                name="main",
                format="native",
                endpoint="",
                mode="connect",
                state="healthy",
                lag_ms=0.5,
                rejected={"bad_price": 1},
            )
        ],
        processes={"engine": ProcessUse(7, 1000, 1.0, None, 4.5)},
        starts={"engine": 2},
        pressure={"eurusd": {("memory", "full"): 0.25, ("cpu", "some"): 1.5}},
        host_pressure={("io", "some"): 3.0},
        engine_turn=0.004,
        mirror_lag=0,
        requests=requests.counts,
        request_seconds=requests.seconds(),
    )


@pytest.fixture(scope="module")
def families():
    text = render(picture())[1].decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(families, name, **labels):
    base = re.sub(r"_(total|bucket|sum|count)$", "", name)
    family = families.get(name) or families[base]
    return [
        sample.value for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]  # fmt: skip


def test_each_family_says_what_it_is_and_has_a_type(families):
    assert [name for name, family in families.items() if not family.documentation.endswith(".")] == []
    assert {family.type for family in families.values()} == {"gauge", "counter", "histogram"}


def test_names_are_ours_and_say_their_unit(families):
    named = [family.name + ("_total" if family.type == "counter" else "") for family in families.values()]
    assert [name for name in named if not name.startswith("stratd_")] == []
    assert sorted(name for name in named if not name.endswith(UNITS)) == sorted(UNITLESS)


def test_no_name_comes_twice():
    text = render(picture())[1].decode()
    heads = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert sorted(set(heads)) == sorted(heads)


def test_values_are_in_base_units(families):
    assert samples(families, "stratd_deployment_memory_bytes", deployment="eurusd") == [27.5 * 2**20]
    assert samples(families, "stratd_deployment_lag_seconds", deployment="eurusd") == [pytest.approx(0.0008)]
    assert samples(families, "stratd_feed_lag_seconds", feed="main") == [0.0005]


def test_a_histogram_counts_all_below_each_bound(families):
    counts = samples(families, "stratd_turn_seconds_bucket", deployment="eurusd")
    assert counts == [float(number) for number in range(1, len(TURNS) + 2)]
    assert samples(families, "stratd_turn_seconds_count", deployment="eurusd") == [len(TURNS) + 1]
    assert samples(families, "stratd_turn_seconds_sum", deployment="eurusd") == [3.5]


def test_verdicts_and_deaths_are_told_by_their_words(families):
    assert samples(families, "stratd_signals_total", verdict="rejected", rule="max_position") == [3.0]
    assert samples(families, "stratd_deployment_deaths_total", cause="hang") == [2.0]


def test_pressure_is_told_by_resource_and_by_whether_all_waited(families):
    name = "stratd_deployment_pressure_seconds_total"
    assert samples(families, name, deployment="eurusd", resource="memory", kind="full") == [0.25]
    assert samples(families, name, deployment="eurusd", resource="cpu", kind="some") == [1.5]
    assert samples(families, "stratd_host_pressure_seconds_total", resource="io", kind="some") == [3.0]


def test_a_word_that_no_method_is_makes_no_label(families):
    assert samples(families, "stratd_http_requests_total", method="other", status="404") == [1.0]
    assert samples(families, "stratd_http_requests_total", method="BREW") == []


def test_a_name_with_quotes_and_backslashes_comes_back_as_it_is(families):
    assert samples(families, "stratd_deployment_running", deployment='odd "name"\\') == [1.0]


def test_what_is_not_known_has_no_sample():
    row = make_row("eurusd").model_copy(update={"memory_mb": None, "lag_ms": None})
    known = Picture(
        version="1",
        started_at=0.0,
        deployments=[row],
        totals={"eurusd": Total([0] * len(COUNTED), 0.0, Buckets())},
    )
    text = render(known)[1].decode()
    assert (
        re.findall(
            r"^stratd_(?:deployment_memory_bytes|deployment_lag_seconds|turn_seconds|mirror)\S*",
            text,
            re.MULTILINE,
        )
        == []
    )


def test_buckets_of_other_bounds_are_left_out():
    known = Picture(version="1", started_at=0.0, request_seconds={"/health": Buckets([1, 2], 0.5)})
    assert "stratd_http_request_seconds_bucket" not in render(known)[1].decode()
    assert len(BOUNDS) + 1 != 2


def test_who_accepts_openmetrics_gets_it():
    content_type, text = render(picture(), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_every_metric_is_in_the_table_of_the_documents_and_none_is_made_up(families):
    page = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
    documented = set()
    for row in re.findall(r"^\| (`.+?) \|", page.read_text("utf-8"), re.MULTILINE):
        names = re.findall(r"`(\w+)`", row)
        first = names[0].partition("_")[0]  # `deployment_ticks_total`, `_candles_total`: of the same
        documented |= {f"stratd_{first if name.startswith('_') else ''}{name}" for name in names}
    assert {name.removesuffix("_total") for name in documented} == set(families)


def test_a_target_is_told_of_while_it_is_switched_on():
    told = {"kind": "slack", "where": "x", "origin": "api", "events": [], "severity": "info", "every": 1}
    told |= {"deployments": [], "accounts": []}
    targets = [
        NotificationView(name="a", enabled=True, state="cut_off", waiting=3, delivered=2, **told),
        NotificationView(name="b", enabled=False, state="off", **told),
    ]
    text = render(Picture(version="1", started_at=0.0, targets=targets))[1].decode()
    found = set(re.findall(r"^(stratd_notification_\w+\{.*)$", text, re.MULTILINE))
    assert {
        'stratd_notification_up{target="a"} 0.0',
        'stratd_notification_waiting{target="a"} 3.0',
        'stratd_notification_lag_events{target="a"} 0.0',
        'stratd_notification_delivered_total{target="a"} 2.0',
        'stratd_notification_dropped_total{target="a"} 0.0',
        'stratd_notification_failures_total{target="a"} 0.0',
    } == found
