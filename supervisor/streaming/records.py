"""From what is kept to messages: events, and the records of the journal. Pure."""

from __future__ import annotations

from collections.abc import Callable

from strategies.trading.records import Closed, Executed, Judged, Placed, Withheld
from strategies.trading.replies import signal_row, withheld_row
from supervisor.logs import Line
from supervisor.schema import EventView, SignalView
from supervisor.schema.stream import OrderChange
from supervisor.store.journal_stream import Told
from supervisor.store.tables import Event
from supervisor.streaming.message import Message, quoted

AccountOf = Callable[..., str]
"""The account of a deployment, "" of one that is not known, or was not then (``World.account_of``)."""


def of_event(event: Event, account_of: AccountOf) -> Message:
    """Return an event as a message."""
    name = event.deployment_id
    view = EventView(
        seq=event.seq,
        at=event.at,
        kind=event.kind,
        deployment_id=name,
        generation=event.generation,
        detail=event.detail,
    )
    return Message(
        topic="events",
        data=view.model_dump_json(),
        source="event",
        seq=event.seq,
        deployment_id=name,
        account=account_of(name, event.at) if name else "",
    )


def of_record(record: Told) -> Message:
    """Return a record of the journal as a message: a signal with its verdict, or what became of an order.

    Whose it is stands in the record: its deployment may be another's by now, of the same id.
    """
    if isinstance(record, Judged | Withheld):
        row = signal_row(record) if isinstance(record, Judged) else withheld_row(record)
        return Message(
            topic="signals",
            data=SignalView.model_validate(row).model_dump_json(),
            source="record",
            seq=record.seq,
            deployment_id=record.deployment_id,
            account=row["account_id"] or "",
        )
    change = _change(record)
    return Message(
        topic="orders",
        data=change.model_dump_json(),
        source="record",
        seq=record.seq,
        deployment_id=change.deployment_id,
        account=change.account,
    )


def _change(record: Placed | Executed | Closed) -> OrderChange:
    match record:
        case Placed(order=order):
            return OrderChange(
                seq=record.seq, at=record.at, change="placed", order_id=order.order_id,
                deployment_id=order.deployment_id, account=order.account_id, symbol=order.symbol,
                quantity=order.quantity, kind=order.kind, role=order.role, signal_id=order.signal_id,
            )  # fmt: skip
        case Executed(fill=fill):
            return OrderChange(
                seq=record.seq, at=record.at, change="filled", order_id=record.order_id,
                deployment_id=fill.deployment_id, account=fill.account_id, symbol=fill.symbol,
                quantity=fill.quantity, price=fill.price, fee=fill.fee, currency=fill.currency,
                role=record.role, signal_id=fill.signal_id, profit=record.closed,
            )  # fmt: skip
        case Closed():
            return OrderChange(
                seq=record.seq, at=record.at, change="ended", order_id=record.order_id,
                deployment_id=record.deployment_id, account=record.account_id,
                symbol=record.symbol, signal_id=record.signal_id, reason=record.reason,
                detail=record.detail,
            )  # fmt: skip


def of_line(deployment_id: str, account: str, line: Line) -> Message:
    """Return one line of a deployment's log as a message; whose it is stands in front."""
    return Message(
        topic="logs",
        data=(
            f'{{"deployment_id":{quoted(deployment_id)},"at":{line.at},"generation":{line.generation},'
            f'"stream":{quoted(line.stream)},"text":{quoted(line.text)}}}'
        ),
        deployment_id=deployment_id,
        account=account,
    )
