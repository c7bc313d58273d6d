"""What an answer is, and what one means that says no. Pure, and the same for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from supervisor.client.errors import of_answer


class Answer(NamedTuple):
    """Status, headers by their names in lower case, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def accepted(answer: Answer) -> Answer:
    """Return an answer that says yes; raise what one says that does not. A redirection is no answer."""
    if 200 <= answer.status < 300:
        return answer
    raise of_answer(answer.status, answer.body, answer.headers.get("retry-after"))
