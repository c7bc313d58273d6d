"""State as bytes: everything that may be kept comes back equal, everything else is refused by path."""

from __future__ import annotations

import io
import pickle
from collections import deque
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.errors import StateCorrupt, StateInvalid
from strategies.state import pack, unpack

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=20)
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.timedeltas()
)
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts | st.integers(-(2**63), 2**63 - 1), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_everything_that_may_be_kept_comes_back_equal(state):
    assert unpack(pack(state)) == state


@given(st.dictionaries(texts, values, max_size=3))
def test_types_come_back_too(state):
    assert repr(unpack(pack(state))) == repr(state)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.array([], dtype="i4"),
        np.array([True, False]),
        np.array(["2024-01-01"], dtype="M8[ns]"),
        np.array(["abc", "d"]),
        np.array([(1, 2.5)], dtype=[("a", "i8"), ("b", "f4")]),
        np.asfortranarray(np.arange(4).reshape(2, 2)),
        np.array(3.5),
    ],
)
def test_arrays_come_back_with_type_and_shape_and_can_be_written(array):
    back = unpack(pack({"a": array}))["a"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array)
    assert back.flags.writeable


def test_numpy_scalars_come_back_as_plain_numbers():
    assert unpack(pack({"a": np.float64(1.5), "b": np.int32(2), "c": np.bool_(True)})) == {
        "a": 1.5,
        "b": 2,
        "c": True,
    }


class Custom:
    pass


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {"b": [1, {2}]}}, r"a\.b\[1\] is a set, which cannot be kept"),
        ({"a": deque([1])}, "a is a deque, which cannot be kept"),
        ({"a": Custom()}, "a is a Custom"),
        ({"a": {(1, 2): 3}}, r"a has the key \(1, 2\): keys are str or int"),
        ({"a": {True: 3}}, "a has the key True"),
        ({"a": np.array([object()])}, "a is an array of object"),
        ({"a": "\ud800"}, "text that is not Unicode"),
        ([1], "save_state returned list, not a mapping"),
        (None, "save_state returned NoneType"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_path_and_type(state, message):
    with pytest.raises(StateInvalid, match=message):
        pack(state)


def test_a_list_that_contains_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(StateInvalid, match="nested deeper than 32"):
        pack({"loop": loop})


def test_the_size_is_limited_on_both_ways():
    with pytest.raises(StateInvalid, match="bytes packed, at most 100 are kept"):
        pack({"a": b"x" * 200}, limit=100)
    with pytest.raises(StateCorrupt, match=r"checkpoint is .* bytes, at most 100 are read"):
        unpack(pack({"a": b"x" * 200}), limit=100)


SOUND = pack(
    {"n": 1, "t": (1, 2), "a": np.arange(3.0), "d": Decimal("1.5"), "w": datetime(2024, 1, 1, tzinfo=UTC)}
)


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_be_called_corrupt(noise):
    with suppress(StateCorrupt):
        assert isinstance(unpack(noise), dict)


@given(at=st.integers(0, len(SOUND) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_checkpoint_is_called_corrupt_or_still_a_mapping(at, byte, cut):
    damaged = SOUND[:at] if cut else SOUND[:at] + bytes([byte]) + SOUND[at + 1 :]
    with suppress(StateCorrupt):
        assert isinstance(unpack(damaged), dict)


def nested_tuples(depth: int) -> bytes:
    tuples = msgpack.ExtType(1, msgpack.packb([]))
    for _ in range(depth):
        tuples = msgpack.ExtType(1, msgpack.packb([tuples]))
    return msgpack.packb({"a": tuples})


def test_tuples_are_read_as_deep_as_they_are_written():
    nested = ()
    for _ in range(31):
        nested = (nested,)
    assert unpack(pack({"a": nested})) == {"a": nested}
    with pytest.raises(StateInvalid, match="nested deeper than 32"):
        pack({"a": (nested,)})


@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdd\xff\xff\xff\xff",  # a list that claims 4 billion entries
        b"\xc6\xff\xff\xff\xff",  # 4 GiB of bytes, announced
        b"\x91" * 100_000,  # nesting without end
        msgpack.packb({"a": msgpack.ExtType(6, msgpack.packb(["O", [1], b"x" * 8]))}),
        msgpack.packb({"a": msgpack.ExtType(6, msgpack.packb(["f8", [2**40], b""]))}),
        msgpack.packb({"a": msgpack.ExtType(99, b"")}),
        nested_tuples(33),
        nested_tuples(20_000),  # a decoder in a decoder: it ended the process, by SIGSEGV
    ],
)
def test_bombs_do_not_go_off(bomb):
    with pytest.raises(StateCorrupt):
        unpack(bomb)


def test_a_pickle_is_never_opened():
    class Boom:
        def __reduce__(self):
            return (pytest.fail, ("opened",))

    stream = io.BytesIO()
    pickle.dump(Boom(), stream)
    with pytest.raises(StateCorrupt):
        unpack(stream.getvalue())


def test_the_same_state_gives_the_same_bytes():
    state = {"a": [1, 2.5, date(2024, 1, 1)], "b": timedelta(seconds=3)}
    assert pack(state) == pack(dict(state))
