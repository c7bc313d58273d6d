from hashlib import sha256
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Signal
from strategies.trading.identity import idempotency_key, uuid7

SIGNAL = Signal(symbol="EURUSD", intent="enter_long", timeframe="1m", data_key=60, leg="a", quantity=1.0)


def test_the_key_is_the_hash_of_the_six_fields_that_the_specification_names():
    expected = sha256(msgspec.msgpack.encode(["d", "EURUSD", "1m", 60, "enter_long", "a"])).digest()
    assert idempotency_key("d", SIGNAL) == expected


def test_the_key_of_a_known_signal_never_changes_between_versions():
    # Journals outlive versions: were this another value, a restart after an upgrade would trade twice.
    assert idempotency_key("d", SIGNAL).hex() == (
        sha256(b"\x96\xa1d\xa6EURUSD\xa21m<\xaaenter_long\xa1a").hexdigest()
    )


def test_size_clock_reason_and_number_are_not_in_the_key():
    again = msgspec.structs.replace(
        SIGNAL, quantity=2.0, reason="other", generated_at=9, data_as_of=9, number=7, reference_price=3.0
    )
    assert idempotency_key("d", again) == idempotency_key("d", SIGNAL)


_TEXT = st.text(alphabet="a|1m,\x00", max_size=4)
_FIELDS = st.tuples(
    _TEXT, _TEXT, _TEXT, st.integers(0, 300), st.sampled_from(["enter_long", "exit_long"]), _TEXT
)


@given(_FIELDS, _FIELDS)
def test_signals_that_differ_in_any_field_have_different_keys(one, other):
    def key(fields):
        deployment_id, symbol, timeframe, data_key, intent, leg = fields
        signal = Signal(symbol=symbol, timeframe=timeframe, data_key=data_key, intent=intent, leg=leg)
        return idempotency_key(deployment_id, signal)

    assert (key(one) == key(other)) == (one == other)


@given(st.integers(1, 2**62), st.integers(1, 2**40), st.integers(0, 2**40))
def test_an_id_is_a_uuid_of_version_7_that_tells_its_time(now, seq, seed):
    parsed = UUID(uuid7(now, seq, seed))
    assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")
    assert parsed.int >> 80 == (now // 1_000_000) % 2**48


@given(st.integers(1, 2**60), st.integers(0, 2**31), st.integers(1, 2**31 - 1))
def test_ids_of_one_instant_ascend_with_the_sequence(now, seq, more):
    assert uuid7(now, seq, 5) < uuid7(now, seq + more, 5)


def test_ids_of_two_journals_differ_at_the_same_time_and_sequence():
    assert uuid7(1, 1, seed=1) != uuid7(1, 1, seed=2)
