"""The client that waits for each answer."""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from supervisor.client.answers import Answer, accepted, decoded
from supervisor.client.call import Call
from supervisor.client.calls import catalogue as code
from supervisor.client.calls import daemon, data, money, records, registering, running, states, verbs
from supervisor.client.calls import strategies as trading
from supervisor.client.errors import ClientError, Unavailable, Unreachable
from supervisor.client.following import Following, began
from supervisor.client.messages import Message, Messages
from supervisor.client.methods import described
from supervisor.client.place import Certificate
from supervisor.client.retrying import pause_before
from supervisor.client.session import open_session
from supervisor.client.wire import Wire

P = ParamSpec("P")
T = TypeVar("T")


class Asking:
    """Carries descriptions of requests out, one after the other, from any thread.

    ``url`` is ``https://HOST:PORT``, ``http://HOST:PORT`` or the path of a Unix socket; None finds the socket
    as the command line does. ``key`` is an API key, needed over TCP; ``verify`` the file of an authority to
    trust (False: anybody), ``cert`` a certificate of one's own. ``timeout`` in seconds is for every answer
    instead of what its request allows; ``retries`` how often to ask again where nothing can be done twice.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        key: str | None = None,
        verify: bool | str | Path | ssl.SSLContext | None = None,
        cert: Certificate | None = None,
        timeout: float | None = None,
        retries: int = 2,
    ) -> None:
        self._session = open_session(
            url, key=key, verify=verify, cert=cert, timeout=timeout, retries=retries, environ=os.environ
        )
        self._wire = Wire(self._session.place, self._session.tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections that wait to be used again; the client can be used on."""
        self._wire.close()

    @property
    def place(self) -> str:
        """Where the daemon is, as it is named in messages."""
        return self._session.place.text

    def ask(self, call: Call[Any]) -> Answer:
        """Carry out ``call`` and return the answer as it came: what methods decode. Raises on any refusal."""
        call, headers, retry = self._session.patient(call), self._session.headers(call), 0
        while True:
            try:
                return accepted(self._wire.exchange(call, headers))
            except ClientError as error:
                retry += 1
                pause = pause_before(retry, error, self._session.policy, random.random())  # noqa: S311  (a pause is no secret)
                if pause is None:
                    raise
            time.sleep(pause)

    def follow(
        self,
        topics: Sequence[str] | None = None,
        *,
        deployment_id: str | None = None,
        last_event_id: str | None = None,
        patience: float = 60.0,
    ) -> Iterator[Message]:
        """Yield what happens as it happens, for ever: of ``topics``, of one deployment or of all.

        Topics are deployments, signals, orders, logs, metrics, feeds and events; all but logs if none is
        named. Without ``last_event_id`` it begins with what is now, with one behind that message. A daemon
        that goes away is waited for, ``patience`` seconds; only then ``Unreachable`` is raised.
        """
        following = Following(topics, deployment_id, last_event_id, patience)
        while True:
            ended: ClientError | None = None
            try:
                for message in self._messages(following.call()):
                    following.took(message)
                    yield message
            except (Unreachable, Unavailable) as error:
                ended = error
            time.sleep(following.pause(ended, time.monotonic(), random.random()))  # noqa: S311  (as above)

    def _messages(self, call: Call[Any]) -> Iterator[Message]:
        messages = Messages()
        with self._wire.stream(self._session.patient(call), self._session.headers(call)) as stream:
            began(stream.rest() if stream.status >= 300 else stream.head)
            for piece in stream.pieces():
                yield from messages.feed(piece)

    def lines(self, call: Call[Any]) -> Iterator[bytes]:
        """Yield the lines of the answer to ``call`` as they come; never asked again."""
        with self._wire.stream(self._session.patient(call), self._session.headers(call)) as stream:
            accepted(stream.rest() if stream.status >= 300 else stream.head)
            yield from stream.lines()


def _asks(build: Callable[P, Call[T]]) -> Callable[Concatenate[Asking, P], T]:
    """Return the method that carries out what ``build`` describes."""

    def method(self: Asking, /, *args: P.args, **kwargs: P.kwargs) -> T:
        answer: T = decoded(build, self.ask(build(*args, **kwargs)))
        return answer

    return described(method, build)


class Client(Asking):
    """The daemon: one method a route, each of which returns models of ``supervisor.schema``."""

    health = _asks(daemon.health)
    status = _asks(daemon.status)
    feeds = _asks(daemon.feeds)
    version = _asks(daemon.version)
    system = _asks(daemon.system)
    config = _asks(daemon.config)
    pause_all = _asks(daemon.pause_all)
    resume_all = _asks(daemon.resume_all)
    drain = _asks(daemon.drain)

    deployments = _asks(running.deployments)
    deployment = _asks(running.deployment)
    start = _asks(running.start)
    act = _asks(running.act)
    stop = _asks(verbs.stop)
    pause = _asks(verbs.pause)
    resume = _asks(verbs.resume)
    restart = _asks(verbs.restart)
    reset_failed = _asks(verbs.reset_failed)
    remove = _asks(verbs.remove)
    flatten = _asks(verbs.flatten)
    lock = _asks(verbs.lock)
    unlock = _asks(verbs.unlock)
    set_parameters = _asks(verbs.set_parameters)
    set_risk = _asks(verbs.set_risk)
    set_quota = _asks(verbs.set_quota)
    promote = _asks(verbs.promote)

    checkpoints = _asks(states.checkpoints)
    saved_state = _asks(states.saved_state)
    restore_state = _asks(states.restore_state)
    clear_state = _asks(states.clear_state)

    accounts = _asks(money.accounts)
    account = _asks(money.account)
    account_limits = _asks(money.account_limits)
    account_exposure = _asks(money.account_exposure)
    account_loss = _asks(money.account_loss)
    pause_account = _asks(money.pause_account)
    resume_account = _asks(money.resume_account)
    kill_account = _asks(money.kill_account)
    rearm_account = _asks(money.rearm_account)
    rearm = _asks(money.rearm)
    positions = _asks(money.positions)
    orders = _asks(money.orders)
    trades = _asks(money.trades)

    logs = _asks(records.logs)
    events = _asks(records.events)
    signals = _asks(records.signals)
    signal = _asks(records.signal)
    performance = _asks(records.performance)
    equity = _asks(records.equity)
    incidents = _asks(records.incidents)
    metrics = _asks(records.metrics)

    symbols = _asks(data.symbols)
    candles = _asks(data.candles)
    calendar = _asks(data.calendar)
    indicators = _asks(data.indicators)

    execute = _asks(trading.execute)
    backtest = _asks(trading.backtest)

    strategies = _asks(code.strategies)
    catalogue = _asks(code.catalogue)
    strategy = _asks(code.strategy)
    strategy_schema = _asks(code.strategy_schema)
    strategy_source = _asks(code.strategy_source)
    strategy_types = _asks(code.strategy_types)
    template = _asks(code.template)
    validate_parameters = _asks(code.validate_parameters)
    rescan = _asks(code.rescan)
    register = _asks(registering.register)
    validate_code = _asks(registering.validate_code)
    versions = _asks(registering.versions)
    activate = _asks(registering.activate)
    rollback = _asks(registering.rollback)
    register_path = _asks(code.register_path)
    unregister = _asks(code.unregister)
