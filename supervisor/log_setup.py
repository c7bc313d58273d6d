"""Where the daemon's own log goes: a terminal, JSON lines, or systemd's journal with fields.

Everything that logs goes one way: structlog's loggers, and those of libraries (uvicorn, asyncio) through the
standard library's, of which no word below WARNING is kept. A field that is named like a secret shows none.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog

from supervisor.causes import named
from supervisor.config import Settings
from supervisor.journald import PRIORITIES, SOCKET, Journal, connected_to_journal, field

_SECRET: Final = re.compile(r"secret|password|passwd|token|api_?key|authorization|credential", re.IGNORECASE)
_IN_URL: Final = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]+)(?=@)")
HIDDEN: Final = "***"
NOTICE: Final = 5
Event = MutableMapping[str, Any]


def configure_log(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Log as ``[log]`` says; ``auto`` is text on a terminal, the journal under systemd, else JSON lines."""
    wanted = settings.log.format
    if wanted == "auto":
        wanted = (
            "journal"
            if connected_to_journal(environ) and SOCKET.exists()
            else "text"
            if sys.stderr.isatty()
            else "json"
        )
    level = logging.getLevelName(settings.log.level)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,  # the request that is worked on (api/request_ids.py)
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_nothing,
        without_secrets,
    ]
    if wanted == "text":
        final: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    elif wanted == "journal":
        final = [structlog.processors.format_exc_info, ToJournal(_journal().send)]
    else:
        final = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # A reload may change the level: a logger that is cached would stay as it was when it was first used.
        cache_logger_on_first_use=False,
    )
    _take_in_libraries([*shared, *final], level)


@functools.cache
def _journal() -> Journal:
    """Return the one socket to the journal, however often the log is set up."""
    return Journal()


def _take_in_libraries(processors: list[Any], level: int) -> None:
    """Have what logs by the standard library go the same way, with its logger's name."""
    handler = Passed(structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=processors))
    root = logging.getLogger()
    root.handlers = [handler]
    # Below, libraries tell of each request and each connection.
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("stratd").setLevel(level)


class Passed(logging.Handler):
    """Passes records of the standard library on to a structlog logger."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on; one that cannot be written is reported as the standard library does."""
        say = getattr(self._logger, record.levelname.lower(), self._logger.info)
        try:
            # In the library's own words: its message was made for people, and so is one field here.
            say(record.getMessage(), logger=record.name, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001  (the wall: logging must not end what logs)
            self.handleError(record)


class ToJournal:
    """The last processor under systemd: sends the entry, and leaves nothing to print."""

    def __init__(self, send: Callable[[Mapping[str, str]], None]) -> None:
        self._send = send

    def __call__(self, _logger: Any, method: str, event: Event) -> str:
        """Send ``event``; there is nothing left to print, so the event is dropped."""
        self._send(journal_fields(method, event))
        raise structlog.DropEvent


def journal_fields(method: str, event: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a journal entry: MESSAGE for people, STRATD_KIND and the others for queries."""
    rest = {name: value for name, value in event.items() if name not in ("event", "level", "timestamp")}
    kind = str(event.get("event", ""))
    said = " ".join(f"{name}={value}" for name, value in rest.items() if name not in ("detail", "exception"))
    detail = f": {rest['detail']}" if "detail" in rest else ""
    message = f"{kind}{detail}{f' ({said})' if said else ''}"
    if "exception" in rest:
        message += f"\n{rest['exception']}"
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(PRIORITIES.get(method, NOTICE)),
        "SYSLOG_IDENTIFIER": "stratd",
        field("kind"): kind,
    }
    return fields | {field(name): str(value) for name, value in rest.items()}


def without_nothing(_logger: Any, _method: str, event: Event) -> Event:
    """Leave out what is None."""
    return {name: value for name, value in event.items() if value is not None}


def without_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Hide the value of what is named like a secret, and passwords in URLs."""
    return {
        name: HIDDEN if _SECRET.search(name) else _without_password(value) for name, value in event.items()
    }


def _without_password(value: Any) -> Any:
    return _IN_URL.sub(rf"\1:{HIDDEN}", value) if isinstance(value, str) and "://" in value else value
