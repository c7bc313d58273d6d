"""Checkpoints in the journal: the last good ones of each deployment, and a few bad ones for inspection. SQL.

Rules of this file. A checkpoint is only ever read whole: a crc is kept with it, over the record and the
state, and one that does not fit any more is passed over as if it were refused. Of what is refused nothing is
loaded again; it is there to be looked at.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strategies.trading.records import Saved

Execute = Callable[..., sqlite3.Cursor]

KEEP_GOOD: Final = 5
"""Good checkpoints kept of a deployment, the newest ones."""
KEEP_BAD: Final = 3
"""Refused ones kept of a deployment, the newest ones."""
LARGEST: Final = 2**63 - 1
"""Largest integer of SQLite (sqlite.org/datatype3.html)."""
DAMAGED: Final = "damaged: what was read is not what was written (crc)"

SCHEMA: Final = """
-- The last checkpoints of each deployment. saved is the record without its state, crc is of both. refused is
-- why it is never loaded again, empty for a good one. The state comes last: what stands before it can be read
-- without it.
CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
    refused TEXT NOT NULL, crc INTEGER NOT NULL, saved BLOB NOT NULL, state BLOB NOT NULL);
CREATE INDEX checkpoints_of ON checkpoints (deployment_id, seq);
"""
UPGRADE: Final = f"""
ALTER TABLE checkpoints RENAME TO checkpoints_before;
{SCHEMA}
INSERT INTO checkpoints SELECT seq, deployment_id, part(payload, 'at'), part(payload, 'size'), '',
    part(payload, 'crc'), part(payload, 'saved'), part(payload, 'state') FROM checkpoints_before;
DROP TABLE checkpoints_before;
"""  # noqa: S608 - constants only
"""From schema 2, which kept one checkpoint a deployment, whole; needs ``define_part``."""

INSERT: Final = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
REFUSE: Final = "UPDATE checkpoints SET refused = ? WHERE seq = ? AND deployment_id = ?"
CLEAR: Final = "DELETE FROM checkpoints WHERE deployment_id = ? AND seq < ?"

_encode: Final = msgspec.msgpack.Encoder().encode
_SAVED: Final = msgspec.msgpack.Decoder(Saved).decode


class Kept(Struct, frozen=True, kw_only=True):
    """A checkpoint as it is listed: ``at`` unix ns, ``size`` bytes, ``refused`` why it is bad, else "".

    ``epoch`` is the tape that numbers ``position``, ``offset`` where on it the rest is (``Checkpoint.at``).
    """

    seq: int
    at: int
    generation: int
    state_version: int
    size: int
    epoch: int
    offset: int
    position: dict[str, int]
    paused: bool
    refused: str


class Newest(Struct, frozen=True):
    """The checkpoint to start from, None for none, and the newer ones that turned out to be damaged."""

    saved: Saved | None
    damaged: list[int] = []


class Summary(Struct, frozen=True, kw_only=True):
    """What ``ps`` says: the newest good checkpoint (``seq`` 0 for none), and how many are good and bad."""

    seq: int = 0
    at: int = 0
    size: int = 0
    good: int = 0
    refused: int = 0


# ---- writing --------------------------------------------------------------------------------------
def row(saved: Saved) -> tuple[Any, ...]:
    """Return what ``INSERT`` inserts."""
    state = saved.checkpoint.state
    rest = _encode(replace(saved, checkpoint=replace(saved.checkpoint, state=b"")))
    crc = _crc(rest, state)
    return (saved.seq, saved.deployment_id, saved.at, len(state), "", crc, rest, state)


def trim(execute: Execute, owners: Iterable[str]) -> None:
    """Drop what is beyond the newest ones that are kept of each of these deployments."""
    for owner in owners:
        for which, most in (("refused = ''", KEEP_GOOD), ("refused <> ''", KEEP_BAD)):
            execute(
                f"DELETE FROM checkpoints WHERE deployment_id = ? AND {which} AND seq < ifnull(("  # noqa: S608 - constants only
                f"SELECT seq FROM checkpoints WHERE deployment_id = ? AND {which} "
                "ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)",
                (owner, owner, most - 1),
            )


def define_part(database: sqlite3.Connection) -> None:
    """Teach SQL to take the payload of schema 2 apart, for ``UPGRADE``."""
    database.create_function("part", 2, _part, deterministic=True)


def _part(payload: bytes, name: str) -> Any:
    try:
        _, _, at, size, _, crc, saved, state = row(_SAVED(payload))
    except msgspec.DecodeError:  # kept as it is: it is found out, and told of, when it is to be loaded
        at, size, crc, saved, state = 0, len(payload), -1, payload, b""
    return {"at": at, "size": size, "crc": crc, "saved": saved, "state": state}[name]


# ---- reading --------------------------------------------------------------------------------------
def newest(execute: Execute, deployment_id: str, below: int = LARGEST) -> Newest:
    """Return the newest checkpoint of a deployment that is good and whole, of records before ``below``."""
    damaged: list[int] = []
    query = (
        "SELECT seq FROM checkpoints WHERE deployment_id = ? AND refused = '' AND seq < ? ORDER BY seq DESC"
    )
    for (seq,) in execute(query, (deployment_id, below)).fetchall():
        if saved := whole(execute, deployment_id, seq):
            return Newest(saved, damaged)
        damaged.append(seq)
    return Newest(None, damaged)


def whole(execute: Execute, deployment_id: str, seq: int) -> Saved | None:
    """Return one checkpoint, good or refused; None if there is none of that number, or it is damaged."""
    # As bytes, whatever a flipped bit has made of their type.
    query = (
        "SELECT crc, CAST(saved AS BLOB), CAST(state AS BLOB) FROM checkpoints "
        "WHERE seq = ? AND deployment_id = ?"
    )
    found = execute(query, (seq, deployment_id)).fetchone()
    if found is None:
        return None
    crc, rest, state = found
    try:
        if _crc(rest, state) != crc:
            return None
        saved = _SAVED(rest)
    except (msgspec.DecodeError, TypeError):  # TypeError: no blobs any more
        return None
    return replace(saved, checkpoint=replace(saved.checkpoint, state=state))


def good(execute: Execute, deployment_id: str, seq: int) -> Saved | None:
    """Return one checkpoint; None if there is none of that number, or it is refused or damaged."""
    query = "SELECT 1 FROM checkpoints WHERE seq = ? AND deployment_id = ? AND refused = ''"
    found = execute(query, (seq, deployment_id)).fetchone()
    return whole(execute, deployment_id, seq) if found else None


def kept(execute: Execute, deployment_id: str) -> list[Kept]:
    """Return every checkpoint of a deployment, the newest first, without the states themselves."""
    query = (
        "SELECT seq, at, size, refused, CAST(saved AS BLOB) FROM checkpoints "
        "WHERE deployment_id = ? ORDER BY seq DESC"
    )
    return [_kept(*found) for found in execute(query, (deployment_id,))]


def _kept(seq: int, at: int, size: int, refused: str, rest: bytes) -> Kept:
    try:
        saved = _SAVED(rest)
    except (msgspec.DecodeError, TypeError):
        return Kept(
            seq=seq, at=at, generation=0, state_version=0, size=size, epoch=0, offset=0, position={},
            paused=False, refused=refused or DAMAGED,
        )  # fmt: skip
    checkpoint = saved.checkpoint
    return Kept(
        seq=seq,
        at=at,
        generation=saved.generation,
        state_version=checkpoint.state_version,
        size=size,
        epoch=checkpoint.epoch,
        offset=checkpoint.at,
        position=checkpoint.position,
        paused=checkpoint.paused,
        refused=refused,
    )


def heads(execute: Execute) -> dict[str, int]:
    """Return the number of the newest good checkpoint of each deployment that has one."""
    query = "SELECT deployment_id, max(seq) FROM checkpoints WHERE refused = '' GROUP BY 1"
    return dict(execute(query).fetchall())


def changed(execute: Execute, known: Mapping[str, int], now: Mapping[str, int]) -> Iterator[Saved]:
    """Yield, ascending, the newest checkpoints of the deployments whose head in ``now`` is not ``known``."""
    for owner in sorted((name for name in now if known.get(name) != now[name]), key=now.__getitem__):
        if saved := newest(execute, owner).saved:
            yield saved


def summaries(execute: Execute) -> dict[str, Summary]:
    """Return what is kept of every deployment that has a checkpoint, good or bad."""
    found: dict[str, Summary] = {}
    # SQLite takes bare columns beside max() from the row of the maximum (sqlite.org/lang_select.html).
    query = "SELECT deployment_id, refused <> '', count(*), max(seq), at, size FROM checkpoints GROUP BY 1, 2"
    for owner, bad, count, seq, at, size in execute(query):
        before = found.get(owner, Summary())
        if bad:
            found[owner] = replace(before, refused=count)
        else:
            found[owner] = replace(before, good=count, seq=seq, at=at, size=size)
    return found


def _crc(rest: bytes, state: bytes) -> int:
    return zlib.crc32(state, zlib.crc32(rest))
