"""What can go wrong between a program and the daemon.

::

    ClientError
    ├── Unsendable         what was to be sent cannot be: it is not asked for at all
    ├── Unreachable        nobody answers there
    │   ├── Silent         somebody is there, and does not answer in time
    │   ├── BrokenOff      it went away in the middle of an answer
    │   └── Untrusted      its certificate is not one that we trust, or ours is not taken
    ├── Garbled            what came is no answer of this API
    │   └── OtherVersion   it does not know the request: client and daemon are of two versions
    └── Answered           the daemon says no, in a problem document (RFC 9457)
        ├── NotFound       no such deployment, strategy, account, ...; ``near`` are alike
        ├── Refused        a quota, a policy, a latch or a permission; ``rule`` names it
        │   └── Unauthorized   no key, a wrong one, or one that has ended
        ├── Invalid        the request is wrong; ``errors`` has every mistake
        └── Failed         understood, tried, and it did not work
            ├── Unsupported    understood, and no daemon of this version can do it
            ├── Stale          it has changed since it was read
            └── Unavailable    not now; asking again may help, after ``retry_after`` seconds

``str()`` of each is one line for a person; of a problem document it is the title, as it came. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

NO_REASON: Final = "the daemon refused without a reason"


class ClientError(Exception):
    """Root of all."""


class Unsendable(ClientError):
    """It would not be a request: a name that cannot be in a path, a file that is not there."""


class Unreachable(ClientError):
    """Nobody answers. Nothing was asked, so nothing was done."""


class Silent(Unreachable):
    """It took the request and did not answer in time: whether it was carried out is not known."""


class BrokenOff(Unreachable):
    """It went away before its answer was whole: whether the request was carried out is not known.

    ``begun``: a part of the answer had come.
    """

    def __init__(self, line: str, *, begun: bool = False) -> None:
        self.begun = begun
        super().__init__(line)


class Untrusted(Unreachable):
    """TLS: its certificate is not of an authority that we trust (``verify``), or it wants another of ours."""


class Garbled(ClientError):
    """What came is no HTTP, no JSON, or not of the shape that the API has."""


class OtherVersion(Garbled):
    """There is no such route: this client is newer than the daemon, or older."""


class Answered(ClientError):
    """The daemon said no. ``problem`` is the whole document, ``status`` the HTTP status."""

    def __init__(self, problem: Mapping[str, Any], status: int = 0, retry_after: float | None = None) -> None:
        self.problem = dict(problem)
        self.status = status or _whole(problem.get("status"))
        self.retry_after = retry_after
        """Seconds, where the daemon said when to ask again (RFC 9110, 10.2.3)."""
        super().__init__(str(problem.get("title") or "") or NO_REASON)

    @property
    def detail(self) -> str:
        """More than the title says, often ""."""
        return str(self.problem.get("detail") or "")

    @property
    def request_id(self) -> str:
        """Under which the daemon's log has this request, "" where it did not say."""
        return str(self.problem.get("request_id") or "")

    @property
    def rule(self) -> str:
        """The stable name of what refused, "" for what is no refusal."""
        return str(self.problem.get("rule") or "")

    @property
    def near(self) -> tuple[str, ...]:
        """Names that an unknown one may have meant, the likeliest first."""
        return _texts(self.problem.get("near"))

    @property
    def errors(self) -> tuple[str, ...]:
        """Every mistake of the request, one line each."""
        return _texts(self.problem.get("errors"))


class NotFound(Answered):
    """There is none of that name."""


class Refused(Answered):
    """Not allowed, by ``rule``."""


class Unauthorized(Refused):
    """Who asks is not known: a key is needed, and this is none that holds."""


class Invalid(Answered):
    """The request itself is wrong."""


class Failed(Answered):
    """It did not work."""


class Unsupported(Failed):
    """Understood, and this version of the daemon cannot do it."""


class Stale(Failed):
    """What was to be changed has changed since it was read (``if_match``)."""


class Unavailable(Failed):
    """It cannot be done now."""


_OF_TYPE: Final[dict[str, type[Answered]]] = {
    "urn:stratd:not-found": NotFound,
    "urn:stratd:refused": Refused,
    "urn:stratd:invalid": Invalid,
    "urn:stratd:failed": Failed,
    "urn:stratd:unauthenticated": Unauthorized,
    "urn:stratd:stale": Stale,
    "urn:stratd:unsupported": Unsupported,
    "urn:stratd:internal": Failed,
}
_OF_STATUS: Final[dict[int, type[Answered]]] = {
    400: Invalid,
    401: Unauthorized,
    403: Refused,
    404: NotFound,
    409: Failed,
    412: Stale,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    428: Refused,
    429: Unavailable,
    500: Failed,
    501: Unsupported,
    503: Unavailable,
    504: Unavailable,
}
_BY_STATUS_FIRST: Final = frozenset({401, 429, 503})
"""Where the status says more than the type of the document."""


def of_problem(problem: Mapping[str, Any], status: int = 0, retry_after: float | None = None) -> Answered:
    """Return the error that a problem document means; one of an unknown type is told by its status."""
    known = status or _whole(problem.get("status"))
    by_status = _OF_STATUS.get(known, Answered)
    by_type = by_status if known in _BY_STATUS_FIRST else _OF_TYPE.get(str(problem.get("type")), by_status)
    return by_type(problem, status, retry_after)


def of_answer(status: int, body: bytes, retry_after: str | None = None) -> ClientError:
    """Return the error that an answer of ``status`` 300 or more means."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = None
    if not isinstance(problem, dict):
        return Garbled(f"the daemon answered {status} and no reason; see its log")
    if status == 404 and not str(problem.get("type", "")).startswith("urn:stratd:"):
        return OtherVersion("the daemon does not know this request: it is another version than this stratd")
    return of_problem(problem, status, _seconds(retry_after))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
