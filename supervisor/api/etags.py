"""Entity tags and ``If-Match``: nobody changes what somebody else has changed since it was read (RFC 9110).

A tag is strong and stands for what can be set or decided (settings, what is wanted, a latch), not for the
counters beside it, which never stand still. So it is for ``If-Match`` alone: no answer is 304.

::

    @api.get("/things/{name}", dependencies=[needs("read")])
    async def thing(name: str, response: Response) -> Thing:
        return tagged(response, await daemon.thing(name))

    @api.patch("/things/{name}", dependencies=[needs("trade")])
    async def change(name: str, request: Change, if_match: IfMatch = None) -> Thing:
        check(if_match, await daemon.thing(name))
        return await daemon.change(name, request)
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, TypeVar

from fastapi import Header, Response
from pydantic import BaseModel

from supervisor.errors import Stale

COUNTED: Final = frozenset(
    {
        "age_s", "callbacks", "candles", "checkpoint_age_s", "checkpoints", "conflated", "cpu_percent",
        "day", "day_profit", "deaths", "deployments", "equity", "errors", "exposure", "extra_time_s", "fees",
        "gaps", "generation", "inside", "lag_ms", "last_death", "last_event", "log_dropped",
        "longest_call_ms", "memory_mb", "next_start_in_s", "open_positions", "orders_today", "outside",
        "peak_equity", "pid", "positions", "published", "realised", "refused", "replayed", "restarts", "says",
        "signals", "slow_calls", "stale", "started_at", "state", "reason", "ticks", "unrealised", "until",
        "uptime_s",
    }
)  # fmt: skip
"""Fields that change by themselves, of every view that has a tag."""
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=1000, description="The `ETag` that was read: 412 if it changed since."
    ),
]
"""The type of a route's parameter: ``if_match: IfMatch = None``."""
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
V = TypeVar("V", bound=BaseModel)


def tag_of(view: BaseModel) -> str:
    """Return the strong entity tag of what ``view`` shows, its counters apart."""
    plain = view.model_copy(update=_nothing(view)).model_dump_json()
    return f'"{hashlib.sha256(plain.encode()).hexdigest()[:32]}"'


def _nothing(view: BaseModel) -> dict[str, Any]:
    return dict.fromkeys(COUNTED & type(view).model_fields.keys())


def tagged(response: Response, view: V) -> V:
    """Put the tag of ``view`` into the answer, and return it."""
    response.headers["ETag"] = tag_of(view)
    return view


def check(if_match: str | None, view: BaseModel) -> None:
    """Raise ``Stale`` if ``If-Match`` was given and does not name ``view`` as it is now."""
    if if_match is not None and not matches(if_match, tag_of(view)):
        raise Stale(tag_of(view))


def matches(if_match: str, tag: str) -> bool:
    """Whether the value of ``If-Match`` names ``tag``: ``*`` does; weak ones never do (RFC 9110, 13.1.1)."""
    if if_match.strip() == "*":
        return True
    return any(not weak and f'"{opaque}"' == tag for weak, opaque in _TAG.findall(if_match))
