"""A real daemon's metrics and stream: dashboard and alerts ask for what there is, counters never fall."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios.rig import PATIENCE, Daemon, Feed, Site

pytestmark = pytest.mark.system

GRAFANA = Path(__file__).parents[2] / "docs" / "grafana"
BUYER = """
def on_tick(self, data):
    return buy(data)
"""
NOT_HERE = {"stratd_mirror_lag_records"}
"""What this daemon has no sample of: it has no mirror."""
BY_HOST = {
    "stratd_host_pressure_seconds_total": {"resource", "kind"},
    "stratd_deployment_pressure_seconds_total": {"deployment", "resource", "kind"},
}
"""What it has only where the kernel counts pressure, and control groups are of version 2."""


@pytest.fixture(scope="module")
def market() -> Iterator[tuple[Daemon, Feed]]:
    """A daemon whose one strategy was killed once and runs again, on a feed that also sent nonsense."""
    site = Site(restart={"delay": 0.1}).with_feed()
    site.strategy("buyer", BUYER)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("buyer")
        yield daemon, feed
    site.remove()


def scrape(daemon: Daemon) -> dict[str, Metric]:
    answer = daemon.http.get("http://stratd/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def values(families: dict[str, Metric], kind: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        if family.type == kind
        for sample in family.samples
    }


def one(daemon: Daemon, name: str) -> float:
    return sum(value for (found, _), value in values(scrape(daemon), "counter").items() if found == name)


def test_counters_never_fall_over_a_restart_of_a_strategy(market):
    daemon, feed = market
    daemon.until(lambda: feed.tick() and one(daemon, "stratd_deployment_ticks_total") > 20, "ticks")
    daemon.until(lambda: feed.tick() and one(daemon, "stratd_signals_total"), "signals")
    feed.tick(price=-1.0)
    before = values(scrape(daemon), "counter") | values(scrape(daemon), "histogram")
    generation = daemon.row("buyer")["generation"]
    daemon.strategy("buyer").kill()
    daemon.until_state("buyer", "running", generation=generation + 1)
    ticked = one(daemon, "stratd_deployment_ticks_total")
    daemon.until(lambda: feed.tick() and one(daemon, "stratd_deployment_ticks_total") > ticked, "ticks again")
    after = values(scrape(daemon), "counter") | values(scrape(daemon), "histogram")
    assert {
        key: (value, after.get(key)) for key, value in before.items() if after.get(key, -1.0) < value
    } == {}
    died = ("stratd_deployment_deaths_total", (("cause", "signal"), ("deployment", "buyer")))
    assert after[died] == 1.0
    assert sum(v for (name, _), v in after.items() if name == "stratd_turn_seconds_count") > 20
    assert sum(v for (name, _), v in after.items() if name == "stratd_journal_commit_seconds_count") > 0


def expressions() -> list[str]:
    board = json.loads((GRAFANA / "stratd.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    asked += [f"label_values({rest})" for rest in re.findall(r"label_values\(([^)]*)\)", json.dumps(board))]
    alerts = (GRAFANA / "alerts.yml").read_text()
    return asked + re.findall(r"^\s+expr: (.+)$", alerts, re.MULTILINE)


def asked_of(expression: str) -> tuple[dict[str, set[str]], set[str]]:
    """Return (labels that selectors ask for by metric, labels that groups and joins name)."""
    by_metric = {
        name: set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector or ""))
        for name, selector in re.findall(r"\b(stratd_\w+|up)\b(?:\{([^}]*)\})?", expression)
    }
    groups = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    groups += re.findall(r"label_values\(\w+, (\w+)\)", expression)
    return by_metric, {label.strip() for group in groups for label in group.split(",")}


def labels_of(families: dict[str, Metric]) -> dict[str, set[str]]:
    """Return the labels of each name that has a sample."""
    labels: dict[str, set[str]] = {}
    for family in families.values():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def mismatches(asked: list[str], daemon: Daemon) -> list[tuple[str, Any]]:
    """Return what is asked for and what the daemon does not say: names, or labels of a name."""
    # Prometheus itself measures "up" of a target (prometheus.io/docs/concepts/jobs_instances).
    labels: dict[str, set[str]] = {name: set() for name in NOT_HERE}
    labels |= BY_HOST | {"up": {"job", "instance"}} | labels_of(scrape(daemon))
    wrong: list[tuple[str, Any]] = []
    for expression in asked:
        by_metric, grouped = asked_of(expression)
        wrong += [(expression, name) for name in by_metric if name not in labels]
        wrong += [(name, found) for name, found in by_metric.items() if not found <= labels.get(name, set())]
        wrong += [(expression, grouped) for name in by_metric if not grouped <= labels.get(name, set())]
    return wrong


def test_dashboard_and_alerts_ask_for_what_a_daemon_says(market):
    daemon, feed = market
    asked = expressions()
    assert len(asked) > 40
    names = {name for expression in asked for name in asked_of(expression)[0]}
    # Some figures need two readings of a new instance; a refused tick and a signal take a moment as well.
    daemon.until(
        lambda: feed.tick(price=-1.0) and feed.tick() and not mismatches(asked, daemon),
        f"every name and label that is asked for (missing at first: {mismatches(asked, daemon)})",
    )
    assert NOT_HERE < names
    assert NOT_HERE.isdisjoint(labels_of(scrape(daemon)))


def test_legends_name_labels_that_their_query_leaves(market):
    daemon, _ = market
    board = json.loads((GRAFANA / "stratd.json").read_text())

    def lacking() -> list[str]:
        labels = BY_HOST | labels_of(scrape(daemon))
        found = []
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                by_metric, grouped = asked_of(target["expr"])
                named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                if not named <= (grouped or set().union(*(labels.get(name, set()) for name in by_metric))):
                    found.append(target["expr"])
        return found

    # A figure that needs two readings is not there at once.
    daemon.until(lambda: not lacking(), f"every label of the legends: {lacking()}")


def test_the_stream_tells_of_signals_and_orders_of_a_real_strategy(market):
    daemon, feed = market
    wanted, seen = {"deployments", "feeds", "metrics", "signals", "orders"}, set()
    with daemon.http.stream(
        "GET",
        "/events",
        headers={"accept": "text/event-stream"},
        params={"last_event_id": "0-0"},
        timeout=PATIENCE,
    ) as answer:
        last = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                seen.add(value)
            last = value if name == "id" else last
            if wanted <= seen:
                break
            feed.tick()
    assert re.fullmatch(r"\d+-\d+", last)
