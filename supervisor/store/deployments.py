"""What the daemon must know after a restart, in ``DATABASE_URL``: deployments, their deaths, its events.

SQLAlchemy Core, so that SQLite (the default, in the state directory) and PostgreSQL are the same code.
Rules of this file. It blocks: the daemon calls it from one worker thread, never from its loop. What is
wanted and the generation are written before anything acts on them. Every failure of the database leaves
as one ``StoreError`` with a sentence; nothing here is half-written, each call is one transaction.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from msgspec import structs
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from supervisor.life import State, Wanted
from supervisor.store import schema
from supervisor.store.event_shares import prune
from supervisor.store.salvage import read_what_can_be
from supervisor.store.tables import (
    DEATHS,
    DEPLOYMENTS,
    EVENTS,
    REGISTERED,
    DeathRecord,
    Deployment,
    Event,
    Standing,
)

KEEP_DEATHS = 20
"""Deaths kept of each deployment; the oldest go first."""
KEEP_EVENTS = 100_000
"""Events kept (whose: ``event_shares``); pruned now and then, so somewhat more may be there."""


_POSTGRESQL = {"connect_timeout": 5, "options": "-c statement_timeout=5000"}
"""For libpq: a server that hangs is a failure after 5 s, for deaths and stops wait behind it in the queue."""


class StoreError(Exception):
    """The database cannot be used; the sentence says which and why."""


class _DamagedError(Exception):
    """A SQLite file that can be opened, and in which something is torn."""


class DeploymentStore:
    """The tables at one URL. ``open`` makes or migrates them."""

    def __init__(self, url: str) -> None:
        self._url = sql.make_url(url)
        self._engine: sql.Engine | None = None
        self._appended = KEEP_EVENTS
        """Since events were last pruned; so much that it is done at once after a start, too."""

    @property
    def where(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    def open(self) -> str:
        """Connect, and make, migrate or refuse the tables by their schema (``schema.bring_up``).

        A SQLite file that is damaged is moved aside, and what can still be read of the deployments, which
        say what has to run, is taken over into a new one. Then the sentence that says so is returned, else
        "". Raises ``StoreError``.
        """
        try:
            self._connect()
        except (DatabaseError, _DamagedError) as error:
            saved = read_what_can_be(self._url)
            aside = self._set_aside(error)
            if aside is None:
                raise StoreError(f"{self.where}: {_first_line(error)}") from None
            self._reconnect()
            return (
                f"{self.where} could not be read ({_first_line(error)}): {self._take_over(saved)} of its "
                f"deployments were saved, and it lies at {aside} now"
            )
        except ImportError as error:
            raise StoreError(
                f"{self.where}: {error}: its driver is no part of stratd; install it into this "
                f"environment: {sys.prefix}/bin/pip install 'psycopg[binary]'"
            ) from None
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(f"{self.where}: {_first_line(error)}") from None
        return ""

    def _reconnect(self) -> None:
        try:
            self._connect()
        except (SQLAlchemyError, OSError, _DamagedError) as error:
            raise StoreError(f"{self.where}: {_first_line(error)}") from None

    def _connect(self) -> None:
        engine = sql.create_engine(
            self._url, json_serializer=lambda value: json.dumps(value, allow_nan=False)
        )
        if self._url.get_backend_name() == "sqlite":
            sql.event.listen(engine, "connect", _sqlite_manners)
        try:
            with engine.begin() as connection:
                self._prepare(connection)
        except BaseException:
            engine.dispose()  # a connection of its pool would hold on to a file that is moved aside
            raise
        self._engine = engine

    def _prepare(self, connection: sql.Connection) -> None:
        try:
            schema.bring_up(connection)
        except schema.SchemaError as error:
            raise StoreError(f"{self.where} {error}") from None
        if connection.dialect.name == "sqlite":
            # A file can be whole in its head and torn further on: look at every page once, now.
            sound = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if sound != "ok":
                raise _DamagedError(f"damaged: {sound}")

    def _take_over(self, saved: dict[sql.Table, list[dict[str, Any]]]) -> int:
        """Write what was salvaged into the new file, row by row; return how many deployments."""
        taken = 0
        for table, rows in saved.items():
            for row in rows:
                with contextlib.suppress(StoreError, ValueError):  # a row that is damaged in itself
                    if table is DEPLOYMENTS:
                        _take(Deployment, row), _standing(row)
                    with self.begin() as connection:
                        connection.execute(table.insert().values(row))
                    taken += table is DEPLOYMENTS
        return taken

    def _set_aside(self, error: Exception) -> Path | None:
        """Rename a SQLite file that is not a database; None if that is not what is wrong."""
        broken = ("malformed", "not a database", "disk image", "corrupt", "damaged")
        if self._url.get_backend_name() != "sqlite" or not any(word in str(error) for word in broken):
            return None
        path = Path(self._url.database or "")
        aside = path.with_name(f"{path.name}.corrupt-{time.time_ns()}")
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return aside

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # ---- deployments ----------------------------------------------------------------------------
    def load(self) -> list[tuple[Deployment, Standing]]:
        """Return every deployment, the oldest first."""
        rows = self.read(sql.select(DEPLOYMENTS).order_by(DEPLOYMENTS.c.created_at, DEPLOYMENTS.c.id))
        return [(_take(Deployment, row), _standing(row)) for row in rows]

    def save(self, deployment: Deployment, standing: Standing) -> None:
        """Insert or replace one deployment as a whole."""
        values = {**structs.asdict(deployment), **_plain(standing)}
        with self.begin() as connection:
            changed = connection.execute(
                DEPLOYMENTS.update().where(DEPLOYMENTS.c.id == deployment.id).values(values)
            )
            if changed.rowcount == 0:
                connection.execute(DEPLOYMENTS.insert().values(values))

    def configure(self, deployment: Deployment) -> None:
        """Write what an operator said of a known deployment; how it stands is written by ``stand`` alone."""
        with self.begin() as connection:
            connection.execute(
                DEPLOYMENTS.update()
                .where(DEPLOYMENTS.c.id == deployment.id)
                .values(structs.asdict(deployment))
            )

    def fill(self, found: list[tuple[Deployment, Standing]]) -> bool:
        """Insert deployments where there are none, all of them or nothing; returns whether it did."""
        with self.begin() as connection:
            if connection.scalar(sql.select(sql.func.count()).select_from(DEPLOYMENTS)):
                return False
            for deployment, standing in found:
                connection.execute(
                    DEPLOYMENTS.insert().values({**structs.asdict(deployment), **_plain(standing)})
                )
        return True

    def stand(self, deployment_id: str, standing: Standing) -> None:
        """Write what is wanted and observed of a known deployment."""
        with self.begin() as connection:
            connection.execute(
                DEPLOYMENTS.update().where(DEPLOYMENTS.c.id == deployment_id).values(_plain(standing))
            )

    def stop_live(self) -> list[str]:
        """Want no deployment that trades live to run; return which ones were wanted."""
        mine = (DEPLOYMENTS.c.mode == "live", DEPLOYMENTS.c.wanted != Wanted.STOPPED.value)
        with self.begin() as connection:
            found = connection.scalars(sql.select(DEPLOYMENTS.c.id).where(*mine).order_by(DEPLOYMENTS.c.id))
            stopped = list(found)
            connection.execute(DEPLOYMENTS.update().where(*mine).values(wanted=Wanted.STOPPED.value))
        return stopped

    def remove(self, deployment_id: str) -> None:
        """Forget a deployment and its deaths; its events stay."""
        with self.begin() as connection:
            connection.execute(DEATHS.delete().where(DEATHS.c.deployment_id == deployment_id))
            connection.execute(DEPLOYMENTS.delete().where(DEPLOYMENTS.c.id == deployment_id))

    # ---- deaths ---------------------------------------------------------------------------------
    def add_death(self, death: DeathRecord) -> None:
        """Record a death and drop the oldest ones beyond ``KEEP_DEATHS``."""
        mine = DEATHS.c.deployment_id == death.deployment_id
        kept = sql.select(DEATHS.c.number).where(mine).order_by(DEATHS.c.number.desc()).limit(KEEP_DEATHS)
        with self.begin() as connection:
            connection.execute(DEATHS.insert().values(structs.asdict(death)))
            numbers = [row.number for row in connection.execute(kept)]
            connection.execute(DEATHS.delete().where(mine, DEATHS.c.number < numbers[-1]))

    def deaths(self, deployment_id: str, limit: int = KEEP_DEATHS) -> list[DeathRecord]:
        """Return the deaths of one deployment, the newest first."""
        wanted = sql.select(DEATHS).where(DEATHS.c.deployment_id == deployment_id)
        rows = self.read(wanted.order_by(DEATHS.c.number.desc()).limit(limit))
        return [_take(DeathRecord, row) for row in rows]

    # ---- events ---------------------------------------------------------------------------------
    def last_event(self) -> int:
        """Return the highest number of an event, 0 if there is none."""
        (row,) = self.read(sql.select(sql.func.max(EVENTS.c.seq).label("seq")))
        return int(row["seq"] or 0)

    def add_events(self, events: list[Event]) -> None:
        """Append events in one transaction."""
        with self.begin() as connection:
            connection.execute(EVENTS.insert(), [structs.asdict(event) for event in events])
            self._appended += len(events)
            if self._appended >= KEEP_EVENTS // 10:
                self._appended = 0
                prune(connection, KEEP_EVENTS)

    def events(self, after: int, limit: int, of: Mapping[str, int] | None = None) -> list[Event]:
        """Return up to ``limit`` events numbered above ``after``, ascending.

        ``of`` some deployments only, of each since an instant (unix ns).
        """
        wanted = _events(of).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq).limit(limit)
        return [_take(Event, row) for row in self.read(wanted)]

    def newest_events(self, limit: int, of: Mapping[str, int] | None = None) -> list[Event]:
        """Return the last ``limit`` events, ascending; ``of`` as for ``events``."""
        rows = self.read(_events(of).order_by(EVENTS.c.seq.desc()).limit(limit))
        return [_take(Event, row) for row in reversed(rows)]

    # ---- registered strategies ------------------------------------------------------------------
    def paths(self) -> list[str]:
        """Return the paths of strategies that were registered one by one."""
        return [str(row["path"]) for row in self.read(sql.select(REGISTERED).order_by(REGISTERED.c.path))]

    def add_path(self, path: str) -> None:
        """Keep a registered path; again is fine."""
        with self.begin() as connection:
            connection.execute(REGISTERED.delete().where(REGISTERED.c.path == path))
            connection.execute(REGISTERED.insert().values(path=path))

    def drop_path(self, path: str) -> None:
        """Keep a registered path no longer; one that is not kept is fine."""
        with self.begin() as connection:
            connection.execute(REGISTERED.delete().where(REGISTERED.c.path == path))

    # ---- plumbing -------------------------------------------------------------------------------
    @contextlib.contextmanager
    def begin(self) -> Iterator[sql.Connection]:
        """One transaction, whose every failure is a ``StoreError``."""
        if self._engine is None:
            raise StoreError(f"{self.where} is not open")
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"{self.where}: {_first_line(error)}") from None

    def read(self, wanted: sql.Select[Any]) -> list[dict[str, Any]]:
        """Return the rows of one query; for this and the other files of this folder."""
        with self.begin() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]


def _events(of: Mapping[str, int] | None) -> sql.Select[Any]:
    wanted = sql.select(EVENTS)
    if of is None:
        return wanted
    if not of:
        return wanted.where(sql.false())
    owner = EVENTS.c.deployment_id
    return wanted.where(owner.in_(list(of)), EVENTS.c.at >= sql.case(dict(of), value=owner, else_=0))


def _sqlite_manners(connection: Any, _record: Any) -> None:
    # WAL: readers and the writer do not wait for each other. FULL: what is wanted must survive a power cut,
    # and it is written at the pace of operators, not of ticks.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=2000"):
        connection.execute(f"PRAGMA {pragma}")


def _take(kind: type[Any], row: dict[str, Any]) -> Any:
    return kind(**{name: row[name] for name in kind.__struct_fields__})


def _standing(row: dict[str, Any]) -> Standing:
    words: Standing = _take(Standing, row)
    return structs.replace(words, wanted=Wanted(words.wanted), state=State(words.state))


def _plain(standing: Standing) -> dict[str, Any]:
    return {**structs.asdict(standing), "wanted": standing.wanted.value, "state": standing.state.value}


def _first_line(error: BaseException) -> str:
    origin = getattr(error, "orig", None) or error
    return (str(origin).splitlines() or [type(origin).__name__])[0]
