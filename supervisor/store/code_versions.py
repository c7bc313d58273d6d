"""Code that was registered: every version with its content, and which one a name meant when. SQL.

The content is kept whole: the folders that cells run copies of are made from it, so they may be lost. Rows of
versions are never changed, and rows of activations say for good who made which version the active one; a
rollback takes the last of them back, with its time. Labels are words beside a version, the last ones only.
Rules of this file: it blocks, and belongs to the database's thread; every failure is a ``StoreError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sql
from msgspec import Struct, structs

from supervisor.registering.labels import Label
from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import CODE_ACTIVATIONS as ACTIVATIONS
from supervisor.store.tables import CODE_LABELS as LABELS
from supervisor.store.tables import CODE_VERSIONS as VERSIONS


class CodeRecord(Struct, frozen=True, kw_only=True):
    """One version. ``entry`` is what its folder or file is called; ``at`` unix ns; ``size`` bytes unpacked.

    ``account`` is the one that whoever registered it is bound to, "" for none; ``owner`` is the one whose
    keys alone see and run it, "" for everybody's.
    """

    name: str
    version: str
    code_hash: str
    entry: str
    kind: Literal["source", "archive", "pickle"]
    account: str = ""
    at: int
    by: str
    origin: str = ""
    size: int
    owner: str = ""


class Activation(Struct, frozen=True, kw_only=True):
    """A version became what its name means, at ``at`` (unix ns), by ``by``, until it was taken back."""

    number: int
    name: str
    version: str
    at: int
    by: str
    undone_at: int | None = None
    undone_by: str | None = None


class CodeVersionStore:
    """The three tables, in the database of ``store``."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store

    def records(self) -> list[CodeRecord]:
        """Return every version, the oldest first, without its content."""
        columns = [VERSIONS.c[name] for name in CodeRecord.__struct_fields__]
        wanted = sql.select(*columns).order_by(VERSIONS.c.at, VERSIONS.c.name, VERSIONS.c.version)
        return [CodeRecord(**row) for row in self._rows(wanted)]

    def archive(self, name: str, version: str) -> bytes | None:
        """Return the content of one version, as ``registering.archive`` packed it; None if there is none."""
        rows = self._rows(sql.select(VERSIONS.c.archive).where(*_one(name, version)))
        return bytes(rows[0]["archive"]) if rows else None

    def add(self, record: CodeRecord, archive: bytes) -> None:
        """Keep a version, and make it the active one, at once."""
        with self._store.begin() as connection:
            connection.execute(VERSIONS.insert().values(**structs.asdict(record), archive=archive))
            connection.execute(
                ACTIVATIONS.insert().values(
                    name=record.name, version=record.version, at=record.at, by=record.by
                )
            )

    def remove(self, name: str, version: str, at: int, by: str) -> None:
        """Forget a version and its content; that it was active stays on record, and can no more come back."""
        with self._store.begin() as connection:
            connection.execute(VERSIONS.delete().where(*_one(name, version)))
            connection.execute(LABELS.delete().where(LABELS.c.name == name, LABELS.c.version == version))
            connection.execute(
                ACTIVATIONS.update()
                .where(
                    ACTIVATIONS.c.name == name,
                    ACTIVATIONS.c.version == version,
                    ACTIVATIONS.c.undone_at.is_(None),
                )
                .values(undone_at=at, undone_by=by)
            )

    def activations(self) -> list[Activation]:
        """Return what became active and was not taken back, the oldest first."""
        wanted = sql.select(ACTIVATIONS).where(ACTIVATIONS.c.undone_at.is_(None))
        return [Activation(**row) for row in self._rows(wanted.order_by(ACTIVATIONS.c.number))]

    def activate(self, name: str, version: str, at: int, by: str) -> None:
        """Make a version the active one."""
        with self._store.begin() as connection:
            connection.execute(ACTIVATIONS.insert().values(name=name, version=version, at=at, by=by))

    def take_back(self, numbers: Sequence[int], at: int, by: str) -> None:
        """Take activations back, all of them or none."""
        with self._store.begin() as connection:
            connection.execute(
                ACTIVATIONS.update()
                .where(ACTIVATIONS.c.number.in_(numbers))
                .values(undone_at=at, undone_by=by)
            )

    def labels(self) -> list[Label]:
        """Return the words that versions were given beside their content."""
        return [Label(**row) for row in self._rows(sql.select(LABELS))]

    def put_label(self, label: Label) -> None:
        """Keep the words of a version in the place of those that it had."""
        with self._store.begin() as connection:
            mine = (LABELS.c.name == label.name, LABELS.c.version == label.version)
            connection.execute(LABELS.delete().where(*mine))
            connection.execute(LABELS.insert().values(**structs.asdict(label)))

    def _rows(self, wanted: sql.Select[Any]) -> list[dict[str, Any]]:
        with self._store.begin() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]


def _one(name: str, version: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return VERSIONS.c.name == name, VERSIONS.c.version == version
