import msgspec

from bus.messages import Level, Reason, Signal
from strategies.trading.records import Judged, Withheld
from strategies.trading.replies import ROW, accepted_signal, signal_map, signal_row, withheld_row

SIGNAL = Signal(
    symbol="X", intent="enter_long", quantity=2.0, reason=Reason("cross", "fast over slow"),
    stop_loss=Level("pct", 1.0), data_as_of=5, generated_at=6,
)  # fmt: skip
JUDGED = Judged(
    seq=7, at=9, deployment_id="d", generation=1, decision="accepted", rule="", detail="", signal_id="id",
    key="ab", quantity=-2.0, account_id="A", strategy="s", version="1", code_hash="h", trading_mode="paper",
    signal=SIGNAL,
)  # fmt: skip


def test_a_signal_goes_out_as_a_map_of_what_it_says():
    assert signal_map(SIGNAL) == {
        "symbol": "X",
        "intent": "enter_long",
        "quantity": 2.0,
        "reason": {"code": "cross", "text": "fast over slow"},
        "stop_loss": {"kind": "pct", "value": 1.0},
        "data_as_of": 5,
        "generated_at": 6,
    }


def test_what_goes_out_carries_the_identity_of_the_connection_and_the_journals_sequence():
    out = accepted_signal(JUDGED)
    assert (out.seq, out.deployment_id, out.account_id, out.mode, out.quantity) == (
        7,
        "d",
        "A",
        "paper",
        -2.0,
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(out))["signal"]["symbol"] == "X"


# cli.md: `signals --json` lines have at least these.
REQUIRED = [
    "signal_id", "idempotency_key", "deployment_id", "account_id", "symbol", "intent", "quantity", "verdict",
    "rule", "detail", "data_as_of", "emitted_at", "decided_at",
]  # fmt: skip


def test_a_row_has_every_field_of_the_command_line_contract():
    row = signal_row(JUDGED)
    assert set(REQUIRED) <= set(row)
    assert tuple(row) == ROW
    assert (row["verdict"], row["quantity"], row["emitted_at"], row["decided_at"]) == ("accepted", -2.0, 6, 9)


def test_a_refused_signal_shows_the_quantity_that_was_asked():
    refused = msgspec.structs.replace(JUDGED, decision="rejected", rule="paused", quantity=None)
    assert signal_row(refused)["quantity"] == 2.0


def test_the_sum_of_a_flood_has_the_same_fields():
    row = withheld_row(
        Withheld(seq=1, at=2, deployment_id="d", generation=1, decision="rejected", rule="rate", count=40)
    )
    assert tuple(row) == ROW
    assert (row["verdict"], row["rule"], row["count"]) == ("rejected", "rate", 40)
    assert row["detail"] == "40 more, too many to list one by one"
