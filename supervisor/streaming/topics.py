"""What can be listened to, and how a listener names it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from supervisor.errors import Invalid

Topic: TypeAlias = Literal["deployments", "signals", "orders", "logs", "metrics", "feeds", "events"]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
JOURNAL: Final[frozenset[Topic]] = frozenset(("signals", "orders"))
"""Topics that are numbered by the engine's journal."""
DURABLE: Final[frozenset[Topic]] = JOURNAL | {"events"}
"""Topics of which nothing is lost between two connections."""
STATE: Final[frozenset[Topic]] = frozenset(("deployments", "feeds", "metrics"))
"""Topics that say how something is now: told whole to a new listener, then as it changes."""
DEFAULT: Final[frozenset[Topic]] = frozenset(TOPICS) - {"logs"}


def topics_of(text: str) -> frozenset[Topic]:
    """Return the topics that ``text`` names, with commas between; ``DEFAULT`` for none. Or ``Invalid``."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in TOPICS]:
        allowed = ", ".join(TOPICS)
        raise Invalid([f"topics = {name[:40]!r}: no such topic; there are {allowed}" for name in unknown])
    return frozenset(topic for topic in TOPICS if topic in names) or DEFAULT
