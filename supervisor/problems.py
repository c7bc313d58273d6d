"""From an error to a problem document (RFC 9457), for a whole request or for one deployment of many. Pure."""

from __future__ import annotations

from typing import Final

from supervisor.errors import (
    Failed,
    Invalid,
    Late,
    NotFound,
    Refused,
    Stale,
    StratdError,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from supervisor.schema import Problem

NOT_FOUND: Final = "urn:stratd:not-found"
REFUSED: Final = "urn:stratd:refused"
FAILED: Final = "urn:stratd:failed"
UNSUPPORTED: Final = "urn:stratd:unsupported"
INVALID: Final = "urn:stratd:invalid"
UNAUTHENTICATED: Final = "urn:stratd:unauthenticated"
STALE: Final = "urn:stratd:stale"
INTERNAL: Final = "urn:stratd:internal"


class ToldError(StratdError):
    """A problem that stands in a document already: what one deployment of many was told, for it alone."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.title)


def problem_of(error: StratdError) -> Problem:
    """Return the document that says ``error``; its ``title`` is the error's own line."""
    match error:
        case ToldError():
            return error.problem
        case NotFound():
            return Problem(
                type=NOT_FOUND, title=str(error), status=404, detail=error.kind, near=list(error.near)
            )
        case Refused():
            return Problem(type=REFUSED, title=str(error), status=403, detail=error.detail, rule=error.rule)
        case Invalid():
            return Problem(type=INVALID, title=str(error), status=422, errors=list(error.errors))
        case Unauthenticated():
            return Problem(type=UNAUTHENTICATED, title=str(error), status=401)
        case Stale():
            return Problem(type=STALE, title=str(error), status=412)
        case Unsupported():
            return Problem(type=UNSUPPORTED, title=str(error), status=501)
        case Unavailable():
            return Problem(type=FAILED, title=str(error), status=503, detail=error.detail)
        case Late():
            return Problem(type=FAILED, title=str(error), status=504, detail=error.detail)
        case Failed():
            return Problem(type=FAILED, title=str(error), status=409, detail=error.detail)
        case _:
            return Problem(type=FAILED, title=str(error), status=409)
