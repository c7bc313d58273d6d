"""What ``top`` knows, and how old that is. Pure: messages and answers in, a view out; ``now`` is monotonic.

A board is whole after answers of the daemon (``asked``), and kept true by messages of its stream (``told``).
The daemon says its figures once a second (topic ``metrics``), changed or not: so silence means that what is
shown is old, whoever is to blame for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

SILENT: Final = 5.0
"""Seconds without a word after which what is shown is called old: five figures that did not come."""


class View(NamedTuple):
    """What is drawn: ``status``, ``rows`` by id and ``feeds`` as the API has them, and ``note``.

    ``note`` says what is wrong with the connection, "" while what is shown is of now; ``old``: it is not.
    """

    status: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    feeds: Mapping[str, str]
    note: str
    old: bool


class Board:
    """The last word on everything."""

    def __init__(self) -> None:
        self._status: dict[str, Any] = {}
        self._status_at = 0.0
        self._rows: dict[str, tuple[dict[str, Any], float]] = {}
        self._feeds: dict[str, str] = {}
        self._heard = 0.0
        self._why = ""
        """Why nobody streams, "" while somebody does."""
        self._gone = False
        """Whether questions have no answer either."""

    # ---- what comes -------------------------------------------------------------------------------
    def asked(self, status: dict[str, Any], rows: Sequence[dict[str, Any]], now: float) -> None:
        """Take answers of the daemon, which are all that there is."""
        self.state(status, now)
        self._rows = {row["id"]: (row, now) for row in rows}
        self._feeds = {feed["name"]: feed["state"] for feed in status["feeds"]}
        self._gone = False

    def state(self, status: dict[str, Any], now: float) -> None:
        """Take the daemon's own state alone, which no topic tells."""
        self._status, self._status_at, self._heard = status, now, now

    def streaming(self) -> None:
        """Note that the stream tells what happens from here on."""
        self._why = ""

    def told(self, topic: str, data: dict[str, Any], now: float) -> None:
        """Take a message of the stream."""
        self._heard = now
        if topic == "metrics":
            self._figures(data, now)
        elif topic == "feeds":
            self._feeds[data["name"]] = data["state"]
        elif topic == "deployments" and data.get("removed"):
            self._rows.pop(data["id"], None)
        elif topic == "deployments":
            self._rows[data["id"]] = data, now

    def _figures(self, data: dict[str, Any], now: float) -> None:
        if "running" in data:
            self._status = {**self._status, "running": data["running"]}
        for name, figures in data["deployments"].items():
            if name in self._rows:
                row, at = self._rows[name]
                since = {"uptime_s": _older(row, now - at)} if row["pid"] else {}
                self._rows[name] = {**row, **since, **figures}, now

    def lost(self, why: str) -> None:
        """Note that nobody streams, and why."""
        self._why = why

    def unanswered(self, why: str) -> None:
        """Note that a question had no answer either."""
        self._why, self._gone = why, True

    # ---- what is drawn ----------------------------------------------------------------------------
    def view(self, now: float) -> View:
        """Return what is known ``now``: what runs goes on running as long as nobody says otherwise."""
        old = self._gone or now - self._heard > SILENT
        at = self._heard if old else now
        status = {**self._status, "uptime_s": self._status["uptime_s"] + at - self._status_at}
        status["accepted"] = sum(row["signals"]["accepted"] for row, _ in self._rows.values())
        rows = [
            {**row, "uptime_s": _older(row, at - since)} if row["pid"] else row
            for _, (row, since) in sorted(self._rows.items())
        ]
        return View(status, rows, dict(self._feeds), self._note(now, old=old), old)

    def _note(self, now: float, *, old: bool) -> str:
        if old:
            why = f": {self._why}" if self._why else ""
            return f"OLD: the last word came {int(now - self._heard)} s ago{why}"
        return f"no stream, asking instead: {self._why}" if self._why else ""


def _older(row: Mapping[str, Any], seconds: float) -> float | None:
    uptime: float | None = row["uptime_s"]
    return None if uptime is None else uptime + max(0.0, seconds)
