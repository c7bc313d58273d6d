"""The state machine of one live order: what may be done about it, after what was heard of it. Pure.

The rule that everything here serves: **an order that was sent and not answered is never sent again before the
other end has said that it never heard of it, and never under another id.**

    NEW       not at the other end, as far as is known: it may be sent
    SENDING   on its way; whoever dies now has left it in doubt
    UNKNOWN   it was sent, and nobody has answered: it may only be asked for
    WORKING   the other end has it: asked for until it has ended
    ENDED     filled, cancelled, rejected or expired: nothing is done any more
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from strategies.trading.orders import DUST
from supervisor.routes.route import Answer


class Stage(StrEnum):
    """How far an order is."""

    NEW = "new"
    SENDING = "sending"
    UNKNOWN = "unknown"
    WORKING = "working"
    ENDED = "ended"


class Heard(StrEnum):
    """What happens to an order."""

    OFF = "off"  # it is being sent
    TAKEN = "taken"  # the other end has it
    CLOSED = "closed"  # ... and it has ended there
    UNHEARD = "unheard"  # the other end has never heard of it
    NOT_TAKEN = "not_taken"  # a question that was certainly not taken
    SILENCE = "silence"  # a question that nobody answered
    REFUSED = "refused"  # the other end has said no


class Act(StrEnum):
    """What is to be done next."""

    SEND = "send"
    QUERY = "query"
    CANCEL = "cancel"
    NOTHING = "nothing"


N, S, U, W, E = Stage
TABLE: Final[dict[Stage, dict[Heard, Stage]]] = {
    #     a new one that is being taken back is asked for by its cancellation, which the other end answers
    N: {Heard.OFF: S, Heard.TAKEN: W, Heard.CLOSED: E, Heard.UNHEARD: E, Heard.NOT_TAKEN: N, Heard.SILENCE: N,
        Heard.REFUSED: U},
    S: {Heard.TAKEN: W, Heard.CLOSED: E, Heard.NOT_TAKEN: N, Heard.SILENCE: U, Heard.REFUSED: E},
    U: {Heard.TAKEN: W, Heard.CLOSED: E, Heard.UNHEARD: N, Heard.NOT_TAKEN: U, Heard.SILENCE: U,
        Heard.REFUSED: U},
    #     what was there once is never taken for unheard of, so it is never sent again
    W: {Heard.TAKEN: W, Heard.CLOSED: E, Heard.UNHEARD: W, Heard.NOT_TAKEN: W, Heard.SILENCE: W,
        Heard.REFUSED: W},
    #     answers that come too late
    E: {Heard.TAKEN: E, Heard.CLOSED: E, Heard.UNHEARD: E, Heard.NOT_TAKEN: E, Heard.SILENCE: E,
        Heard.REFUSED: E},
}  # fmt: skip
"""What follows what; what is not in it cannot happen."""
CLOSED: Final = frozenset({"filled", "cancelled", "rejected", "expired"})


class Live(Struct, frozen=True, kw_only=True):
    """One live order, as its route knows it.

    ``quantity`` is unsigned. ``answer`` is the best one so far: its sums never shrink. ``doubted``: it was
    sent at least once and that was not answered, so it may be on its way even where nobody has heard of it.
    ``withdrawn``: how it is to end, if it can be taken back; "" while it is wanted. ``lost``: the other end
    had it, and says now that it never heard of it. ``why`` is about the last failure, ``reason`` why it is
    withdrawn.
    """

    order_id: str
    quantity: float
    stage: Stage = Stage.NEW
    answer: Answer | None = None
    doubted: bool = False
    withdrawn: Literal["", "cancelled", "rejected"] = ""
    lost: bool = False
    why: str = ""
    reason: str = ""


def begin(order_id: str, quantity: float, *, again: bool, filled: float = 0.0) -> Live:
    """Return an order as it is when its route hears of it; ``again``: it may have been sent before.

    One that has ``filled`` partly has been there, whatever the other end says.
    """
    fresh = Stage.UNKNOWN if again else Stage.NEW
    stage = Stage.WORKING if filled else fresh
    return Live(order_id=order_id, quantity=quantity, stage=stage, doubted=again)


def act(live: Live) -> Act:
    """Return what is to be done next."""
    match live.stage:
        case Stage.NEW if live.withdrawn:
            return Act.CANCEL
        case Stage.NEW:
            return Act.SEND
        case Stage.UNKNOWN:
            return Act.QUERY
        case Stage.WORKING if live.withdrawn and not live.lost:
            return Act.CANCEL
        case Stage.WORKING:
            return Act.QUERY
        case _:
            return Act.NOTHING


def withdraw(live: Live, how: Literal["cancelled", "rejected"], reason: str) -> Live:
    """Take an order back: at once where it was never sent, else the other end has to be asked."""
    if live.stage is Stage.ENDED or live.withdrawn:
        return live
    return _ended_if_never_sent(replace(live, withdrawn=how, reason=reason))


def hear(live: Live, heard: Heard, why: str = "") -> Live:
    """Return an order after something other than an answer. Raises ``KeyError`` for what cannot happen."""
    stage = TABLE[live.stage][heard]
    if live.stage is Stage.ENDED:
        return live
    after = replace(live, stage=stage, why=why or live.why)
    match live.stage, heard:
        case Stage.SENDING, Heard.SILENCE:
            return replace(after, doubted=True)
        case Stage.SENDING, Heard.NOT_TAKEN:
            return _ended_if_never_sent(after)
        case Stage.SENDING, Heard.REFUSED:
            return replace(after, answer=_end(live, "rejected", why))
        case Stage.NEW, Heard.UNHEARD:  # and its cancellation has seen to it that it stays so
            return replace(after, answer=_end(live, live.withdrawn or "cancelled", live.reason))
        case Stage.WORKING, Heard.UNHEARD:
            return replace(after, lost=True)
        case Stage.WORKING, Heard.REFUSED:  # it cannot be taken back: it goes on
            return replace(after, withdrawn="", reason="")
        case _:
            return after


def _ended_if_never_sent(live: Live) -> Live:
    if live.stage is not Stage.NEW or live.doubted or not live.withdrawn:
        return live
    return replace(live, stage=Stage.ENDED, answer=_end(live, live.withdrawn, live.reason))


def _end(live: Live, how: Literal["cancelled", "rejected"], why: str) -> Answer:
    return replace(live.answer or Answer(status=how), status=how, detail=why)


def answered(live: Live, answer: Answer) -> Live:
    """Return an order after an answer; sums never shrink, and what is all there is filled."""
    if live.stage is Stage.ENDED:
        return live
    best = _best(live, answer)
    stage = TABLE[live.stage][Heard.CLOSED if best.status in CLOSED else Heard.TAKEN]
    return replace(live, stage=stage, answer=best, lost=False, why="")


def _best(live: Live, answer: Answer) -> Answer:
    known = live.answer
    if known is not None and answer.filled < known.filled:
        # An older answer overtaken by a younger one; that the order has ended is no less true for it.
        sums = {"filled": known.filled, "average_price": known.average_price, "fees": known.fees}
        answer = replace(answer, **sums)
    whole = answer.filled >= live.quantity * (1 - DUST)
    if whole:
        return replace(answer, status="filled")
    if answer.status == "filled":  # the venue has closed it, and its fills are not all counted yet
        return replace(
            answer, status="working", detail=answer.detail or "filled; its fills are being counted"
        )
    return answer


def believable(answer: Answer) -> bool:
    """Whether an answer has numbers that can be."""
    price = answer.average_price
    sums = isfinite(answer.filled) and answer.filled >= 0.0 and isfinite(answer.fees)
    return (
        sums
        and (price is None or (isfinite(price) and price > 0.0))
        and (not answer.filled or price is not None)
    )
