"""How everything is now: what a new listener is told of it, and what has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from supervisor.schema import DeploymentRow, FeedView
from supervisor.streaming.message import Message, quoted
from supervisor.streaming.topics import Topic

PASSING = frozenset(("uptime_s", "checkpoint_age_s"))
"""What grows by itself: alone it makes no message."""


class Pictures:
    """The last picture of each topic of state, by what it is of."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[DeploymentRow, Message]] = {}
        self._feeds: dict[str, Message] = {}
        self._metrics: Message | None = None

    def deployments(self, rows: Iterable[DeploymentRow]) -> list[Message]:
        """Take a new picture of all deployments; return what to tell of it."""
        fresh = {row.id: row for row in rows}
        told = [removed(name, row.account) for name, (row, _) in self._rows.items() if name not in fresh]
        rows_before, self._rows = self._rows, {}
        for name, row in fresh.items():
            known = rows_before.get(name)
            if known is not None and _alike(known[0], row):
                self._rows[name] = known
                continue
            message = Message(
                topic="deployments", data=row.model_dump_json(), deployment_id=name, account=row.account
            )
            self._rows[name] = row, message
            told.append(message)
        return told

    def feeds(self, feeds: Iterable[FeedView]) -> list[Message]:
        """Take a new picture of all feeds; return what to tell of it."""
        before = self._feeds
        self._feeds = {feed.name: Message(topic="feeds", data=feed.model_dump_json()) for feed in feeds}
        return [message for name, message in self._feeds.items() if before.get(name) != message]

    def metrics(self, message: Message) -> list[Message]:
        """Take new figures; they are told every time."""
        self._metrics = message
        return [message]

    def whole(self, topics: Iterable[Topic]) -> Sequence[Message]:
        """Return what a new listener is told first."""
        wanted = frozenset(topics)
        told = [message for _, message in self._rows.values()] if "deployments" in wanted else []
        told += self._feeds.values() if "feeds" in wanted else ()
        if self._metrics is not None and "metrics" in wanted:
            told.append(self._metrics)
        return told

    def knows(self, deployment_id: str) -> bool:
        """Whether the deployment was there at the last picture."""
        return deployment_id in self._rows

    def forget(self, topic: Topic) -> None:
        """Drop the picture of a topic that nobody listens to any more: it gets old."""
        if topic == "deployments":
            self._rows = {}
        elif topic == "feeds":
            self._feeds = {}
        elif topic == "metrics":
            self._metrics = None


def removed(name: str, account: str) -> Message:
    """Return what is told of a deployment that is no more."""
    data = f'{{"id":{quoted(name)},"removed":true}}'
    return Message(topic="deployments", data=data, deployment_id=name, account=account)


def _alike(one: DeploymentRow, other: DeploymentRow) -> bool:
    if one == other:
        return True
    mine, theirs = one.__dict__, other.__dict__
    return all(mine[name] == theirs[name] for name in mine if name not in PASSING)
