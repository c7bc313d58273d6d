"""The daemon, as a command sees it: ``supervisor.client``, whose errors become exit codes and lines here.

A command asks once: what to do where nobody answers is for whoever typed it. Only ``Asking`` is used, which
carries out descriptions of requests and decodes nothing: a verb lives for a tenth of a second, and the
models take longer than that to be made (docs/cli.md has the figures).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec

from cli.errors import DaemonGone, command_error
from cli.place import URL
from supervisor.client.call import Call
from supervisor.client.errors import ClientError
from supervisor.client.following import Following
from supervisor.client.messages import Message, Messages
from supervisor.client.waiting import Asking

P = ParamSpec("P")
__all__ = ["Client", "DaemonGone"]


class Client:
    """Asks the daemon at ``path``, else the one that ``--url`` or the environment names.

    Every failure is a ``CommandError``. Answers are JSON as the daemon wrote it.
    """

    def __init__(self, path: Path | None = None) -> None:
        with _walled():
            self._asking = Asking(path or URL.get(), retries=0)

    def ask(self, call: Call[Any]) -> bytes:
        """Return the body of the answer to a request that ``supervisor.client.calls`` describes."""
        with _walled(), contextlib.closing(self._asking):  # commands end without a goodbye
            return self._asking.ask(call).body

    def call(self, describe: Callable[P, Call[Any]], *args: P.args, **how: P.kwargs) -> bytes:
        """Return the body of the answer to what a function of ``supervisor.client.calls`` describes."""
        with _walled():  # a name that is no segment of a route is told of here
            described = describe(*args, **how)
        return self.ask(described)

    def stream(self, call: Call[Any]) -> Iterator[bytes]:
        """Yield the lines of the answer as they come, for as long as the daemon sends them."""
        with _walled():
            yield from self._asking.lines(call)

    def lines(self, describe: Callable[P, Call[Any]], *args: P.args, **how: P.kwargs) -> Iterator[bytes]:
        """Yield the JSON Lines of the answer to what a function of ``calls.records`` describes."""
        with _walled():
            described = describe(*args, **how)
        return self.stream(described)

    def messages(self, topics: Sequence[str]) -> Iterator[Message]:
        """Yield what the stream tells of ``topics``, over one connection: how all is, then what changes."""
        messages = Messages()
        for line in self.stream(Following(topics, None, None, 0.0).call()):
            with _walled():
                found = messages.feed(line)
            yield from found


@contextlib.contextmanager
def _walled() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise command_error(error) from None
