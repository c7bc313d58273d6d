"""Every 0MQ socket of stratd, and the only module that imports zmq.

Rules of this file. A context belongs to one process and never crosses a fork. Every socket has a bounded
queue, a bounded message, ``LINGER`` of its own, and an owner that closes it. The hot loops block on one
source or poll; nothing here knows asyncio (measured: it doubles the round trip, docs/performance.md).

On the wires inside stratd a message is ONE frame, ``topic|name|payload``: libzmq matches a subscription
against the start of the frame, and every subscriber costs one message instead of two.
"""

from __future__ import annotations

import contextlib
import errno
import select
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import zmq

from bus.feeds.peers import PeerEvent

MAX_FEED_MESSAGE = 4 * 2**20
"""Bytes of one message from outside; libzmq drops the connection of a peer that sends more."""
MAX_REPORT = 17 * 2**20
"""Bytes of one report of a cell: a checkpoint of 16 MiB and its envelope."""
MARKET_QUEUE = 50_000
"""Messages that may wait for one slow cell before its own ticks are lost (and counted by sequence)."""
FEED_QUEUE = 200_000
"""Messages of a feed that may wait while the engine is busy."""
RELEASE_MS = 1000
"""Milliseconds that libzmq gets to let go of an endpoint."""
DRAIN_LIMIT = 512
"""Messages taken from one socket before the loop looks at the others."""
OUTWARD = b"signals"
"""ZAP domain of the outward sockets: whoever holds their public key may connect to these, and to no other."""


def split(frame: bytes) -> tuple[bytes, bytes]:
    """Return (topic, payload) of an internal message; the topic ends with its second ``|``."""
    end = frame.index(b"|", frame.index(b"|") + 1) + 1
    return frame[:end], frame[end:]


class _Owned:
    """A socket that is closed by whoever opened it."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket

    def close(self, linger_ms: int = 0) -> None:
        """Close, giving what was sent ``linger_ms`` to leave. Twice is fine."""
        self.socket.close(linger_ms)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """Where it is bound, wildcards resolved (``tcp://127.0.0.1:*`` -> the port taken)."""
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _attach(socket: zmq.Socket[bytes], mode: str, endpoint: str) -> None:
    """Bind or connect, with an error that names the endpoint."""
    try:
        socket.bind(endpoint) if mode == "bind" else socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close(0)
        # Not the error's own text, to which pyzmq adds the endpoint again.
        raise OSError(error.errno, f"cannot {mode} {endpoint}: {zmq.strerror(error.errno or 0)}") from None


def _set_key(socket: zmq.Socket[bytes], option: int, key: str) -> None:
    """Set a CURVE key; libzmq takes no other than one of 40 characters of Z85."""
    try:
        socket.setsockopt(option, key.encode())
    except zmq.ZMQError:
        socket.close(0)
        raise OSError(errno.EINVAL, "its CURVE key is no key (40 characters, Z85)") from None


def _serve_curve(socket: zmq.Socket[bytes], secret_key: str) -> None:
    """Admit only who knows the public key that belongs to ``secret_key``; everybody if that is "".

    Who reads them is not told apart, only that he was given the key, and that nobody between can read.
    """
    if secret_key:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, OUTWARD)
        _set_key(socket, zmq.CURVE_SECRETKEY, secret_key)


def _release(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Stop listening; return once the endpoint is free. libzmq lets go of it in a thread of its own."""
    freed = socket.get_monitor_socket(zmq.Event.CLOSED)
    with contextlib.suppress(zmq.ZMQError):  # it listens no more
        socket.unbind(endpoint)
        freed.poll(RELEASE_MS)
    socket.disable_monitor()
    freed.close(0)


def _drain(socket: zmq.Socket[bytes], limit: int) -> Iterator[list[bytes]]:
    """Yield the messages that are ready, as lists of frames, at most ``limit``.

    ``recv(copy=False)`` and ``Frame.more`` because asking the socket for RCVMORE after every frame costs
    more than the frame (measured: 1.5 against 2.3 us for two frames).
    """
    receive, no_block = socket.recv, zmq.NOBLOCK
    with contextlib.suppress(zmq.Again):
        for _ in range(limit):
            frame = receive(no_block, False)
            frames = [frame.bytes]
            while frame.more:
                frame = receive(no_block, False)
                frames.append(frame.bytes)
            yield frames


class Hub:
    """The 0MQ side of the engine: one context, its sockets, one poll.

    ``epoll`` over the sockets' own descriptors (ZMQ_FD), and not ``zmq.Poller``, which asks every socket
    twice a wait: ten times as dear with seven of them (measured: 4.6 against 0.4 us). The descriptor tells
    of changes only (zmq_getsockopt(3)), so a socket that was looked at is asked once more whether
    something is left, and if so the next wait does not block. Raw descriptors (the supervisor's control
    channel) are polled beside the sockets, by level.
    """

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[zmq.Socket[bytes] | None, Callable[[], None]]] = {}
        self._again: set[int] = set()

    def watch(self, source: _Owned | int, handler: Callable[[], None]) -> None:
        """Call ``handler`` from ``wait`` whenever ``source`` (a socket or a descriptor) can be read."""
        descriptor, socket = _descriptor(source)
        self._epoll.register(descriptor, select.EPOLLIN)
        self._watched[descriptor] = (socket, handler)
        if socket is not None:
            self._again.add(descriptor)  # what came before changes nothing any more

    def unwatch(self, source: _Owned | int) -> None:
        """Forget ``source``, while it is still open."""
        descriptor, _ = _descriptor(source)
        self._epoll.unregister(descriptor)
        del self._watched[descriptor]
        self._again.discard(descriptor)

    def look_again(self, source: _Owned) -> None:
        """Have the next ``wait`` look at a socket whose state was asked for outside its handler."""
        self._again.add(_descriptor(source)[0])

    def wait(self, timeout: float) -> None:
        """Block until something can be read or ``timeout`` seconds are over, and call the handlers."""
        again, self._again = self._again, set()
        ready = [descriptor for descriptor, _ in self._epoll.poll(0 if again else timeout)]
        for descriptor in (*ready, *again.difference(ready)):
            # One handler may end another's source: the supervisor closes a feed that has just become ready.
            watched = self._watched.get(descriptor)
            if watched is None:
                continue
            socket, handler = watched
            handler()
            if socket is not None and not socket.closed and _readable(socket):
                self._again.add(descriptor)

    def close(self) -> None:
        """End the context; every socket must have been closed, or is closed without lingering."""
        self._epoll.close()
        self.context.destroy(linger=0)


def _descriptor(source: _Owned | int) -> tuple[int, zmq.Socket[bytes] | None]:
    if isinstance(source, int):
        return source, None
    return source.socket.fileno(), source.socket


def _readable(socket: zmq.Socket[bytes]) -> bool:
    events = socket.getsockopt(zmq.EVENTS)
    return isinstance(events, int) and events & zmq.POLLIN != 0


_PEER_EVENTS: dict[int, PeerEvent] = {
    zmq.Event.HANDSHAKE_SUCCEEDED: "joined",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "refused",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "refused",
    zmq.Event.HANDSHAKE_FAILED_AUTH: "refused",
    zmq.Event.DISCONNECTED: "left",
}
_MONITOR_EVENT = struct.Struct("=Hi")
"""Event and value, in native order. ``zmq.utils.monitor`` reads it too, and would bring asyncio and ssl
into every warden."""


class Monitor(_Owned):
    """What libzmq tells of the peers of one socket (zmq_socket_monitor(3)): made before it is attached."""

    def __init__(self, watched: zmq.Socket[bytes]) -> None:
        super().__init__(watched.get_monitor_socket(sum(_PEER_EVENTS)))
        self._watched = watched

    def events(self) -> Iterator[PeerEvent]:
        """Yield what happened since the last call, in order."""
        for event, _address in _drain(self.socket, DRAIN_LIMIT):
            yield _PEER_EVENTS[_MONITOR_EVENT.unpack(event)[0]]

    def close(self, linger_ms: int = 0) -> None:
        """End the monitoring, then its socket. Twice is fine."""
        if not self._watched.closed:
            self._watched.disable_monitor()
        super().close(linger_ms)


class FeedSocket(_Owned):
    """SUB towards one external publisher, everything subscribed; bind or connect.

    ``monitor`` tells of its publishers; it is to be watched beside the socket.
    """

    def __init__(self, hub: Hub, endpoint: str, mode: str, curve_server_key: str = "") -> None:
        socket = hub.context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, FEED_QUEUE)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FEED_MESSAGE)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        if curve_server_key:
            public, secret = zmq.curve_keypair()
            socket.curve_publickey, socket.curve_secretkey = public, secret
            _set_key(socket, zmq.CURVE_SERVERKEY, curve_server_key)
        socket.subscribe(b"")
        self.monitor = Monitor(socket)
        try:
            _attach(socket, mode, endpoint)
        except OSError:
            self.monitor.close()
            raise
        super().__init__(socket)

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting: whatever came before the last event of the monitor was taken."""
        return not _readable(self.socket)

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket and its monitor. Twice is fine."""
        self.monitor.close()
        super().close(linger_ms)

    def drain(self, limit: int = DRAIN_LIMIT) -> Iterator[list[bytes]]:
        """Yield the messages that are ready, at most ``limit``."""
        return _drain(self.socket, limit)


class Gatekeeper(_Owned):
    """ZAP (ZeroMQ RFC 27): answers libzmq's question who may connect with PLAIN.

    It lives in the engine's own loop instead of pyzmq's authenticator thread: the engine has one thread.
    ``admit(username, password)`` decides; the name becomes the ``User-Id`` of every message that
    arrives over that connection, and that is the only identity the engine believes.
    """

    def __init__(self, hub: Hub, admit: Callable[[str, str], bool]) -> None:
        socket = hub.context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind("inproc://zeromq.zap.01")
        super().__init__(socket)
        self._admit = admit

    def answer(self) -> None:
        """Answer every waiting question."""
        for frames in _drain(self.socket, DRAIN_LIMIT):
            version, request_id, *rest = frames
            user, ok = "", False
            if len(rest) == 6 and rest[3] == b"PLAIN":
                user, password = rest[4].decode(errors="replace"), rest[5].decode(errors="replace")
                ok = self._admit(user, password)
            elif len(rest) == 5 and rest[0] == OUTWARD and rest[3] == b"CURVE":
                user, ok = rest[4].hex(), True  # the handshake itself proved that it knows our key
            status = [b"200", b"OK", user.encode()] if ok else [b"400", b"refused", b""]
            self.socket.send_multipart([version, request_id, *status, b""])


class MarketSocket(_Owned):
    """PUB towards all wardens. A slow one loses its own messages and nobody else's."""

    def __init__(self, hub: Hub, endpoint: str) -> None:
        socket = hub.context.socket(zmq.PUB)
        socket.setsockopt(zmq.LINGER, 500)
        socket.setsockopt(zmq.SNDHWM, MARKET_QUEUE)
        socket.setsockopt(zmq.PLAIN_SERVER, 1)
        _attach(socket, "bind", endpoint)
        super().__init__(socket)
        self.send = socket.send
        """Send one frame ``topic|name|payload``; never blocks."""


class ReportSocket(_Owned):
    """PULL from all wardens; yields (user id of the connection, payload)."""

    def __init__(self, hub: Hub, endpoint: str) -> None:
        socket = hub.context.socket(zmq.PULL)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 1000)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPORT)
        socket.setsockopt(zmq.PLAIN_SERVER, 1)
        _attach(socket, "bind", endpoint)
        super().__init__(socket)

    def drain(self, limit: int = DRAIN_LIMIT) -> Iterator[tuple[str, bytes]]:
        """Yield the reports that are ready, at most ``limit``. A multipart one is dropped whole."""
        receive = self.socket.recv
        with contextlib.suppress(zmq.Again):
            for _ in range(limit):
                frame = receive(zmq.NOBLOCK, False)
                if frame.more:
                    while frame.more:
                        frame = receive(zmq.NOBLOCK, False)
                    continue
                yield str(frame.get("User-Id")), frame.bytes


class OutSocket(_Owned):
    """PUB of accepted signals towards the outside world; CURVE with a secret key."""

    def __init__(self, hub: Hub, endpoint: str, curve_secret_key: str = "") -> None:
        socket = hub.context.socket(zmq.PUB)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        _serve_curve(socket, curve_secret_key)
        _attach(socket, "bind", endpoint)
        super().__init__(socket)

    def release(self) -> None:
        """Give the endpoint back to whoever binds it next. What was sent still leaves until ``close``."""
        _release(self.socket, self.endpoint)

    def send(self, topic: bytes, payload: bytes) -> None:
        """Send two frames, as cli.md fixes them."""
        self.socket.send_multipart((topic, payload))


class ReplaySocket(_Owned):
    """ROUTER beside the signals: a consumer that was away asks for what it missed. CURVE as there."""

    def __init__(self, hub: Hub, endpoint: str, curve_secret_key: str = "") -> None:
        socket = hub.context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 100)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        socket.setsockopt(zmq.MAXMSGSIZE, 4096)
        _serve_curve(socket, curve_secret_key)
        _attach(socket, "bind", endpoint)
        super().__init__(socket)

    def release(self) -> None:
        """Give the endpoint back to whoever binds it next."""
        _release(self.socket, self.endpoint)

    def questions(self) -> Iterator[tuple[list[bytes], bytes]]:
        """Yield (envelope, question) of what is ready; a REQ's empty delimiter is in the envelope."""
        for frames in _drain(self.socket, 16):
            if len(frames) >= 2:
                yield frames[:-1], frames[-1]

    def answer(self, envelope: Sequence[bytes], payload: bytes) -> None:
        """Send one answer back; a peer that has gone, or does not read, loses it."""
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            self.socket.send_multipart([*envelope, payload], zmq.NOBLOCK)


class CellLink:
    """The warden's end: SUB for market and commands, PUSH for the one ordered outbound pipe.

    Both connect with the PLAIN credential of this one instance. ``IMMEDIATE`` keeps reports out of a
    pipe that is not up yet, so ``send`` tells the truth.
    """

    def __init__(
        self, market_endpoint: str, report_endpoint: str, username: str, token: str, topics: Iterable[bytes]
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._market = self._connect(zmq.SUB, username, token)
        self._market.setsockopt(zmq.RCVHWM, MARKET_QUEUE)
        # 0 = unbounded. A subscription is a message upstream, and libzmq drops those that find no room when
        # the connection is made (xsub.cpp, send_subscription): by the default of 1,000 a cell of 500 symbols
        # would hear some of its topics and not its commands.
        self._market.setsockopt(zmq.SNDHWM, 0)
        for topic in topics:
            self._market.subscribe(topic)
        self._market.connect(market_endpoint)
        self._report = self._connect(zmq.PUSH, username, token)
        self._report.setsockopt(zmq.SNDHWM, 10_000)
        self._report.setsockopt(zmq.IMMEDIATE, 1)
        self._report.connect(report_endpoint)
        self._timeout_ms = -1

    def _connect(self, kind: int, username: str, token: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        socket.plain_username = username.encode()
        socket.plain_password = token.encode()
        return socket

    def receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Block for the first (topic, payload), then take what else is ready; [] after ``timeout`` s."""
        timeout_ms = max(0, int(timeout * 1000))
        if timeout_ms != self._timeout_ms:
            self._market.setsockopt(zmq.RCVTIMEO, timeout_ms)
            self._timeout_ms = timeout_ms
        receive = self._market.recv
        try:
            messages = [split(receive())]
        except zmq.Again:
            return []
        with contextlib.suppress(zmq.Again):
            while len(messages) < DRAIN_LIMIT:
                messages.append(split(receive(zmq.NOBLOCK)))
        return messages

    def send(self, payload: bytes) -> bool:
        """Queue one report in order; False while the engine is away or does not keep up."""
        try:
            self._report.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Close both, giving queued reports ``linger_ms`` to leave."""
        self._market.close(0)
        self._report.close(linger_ms)
        self._context.term()


class Publisher(_Owned):
    """PUB of market data, as an external publisher would have it: replay, demo and tests."""

    def __init__(self, endpoint: str, mode: str = "bind") -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.XPUB)
        socket.setsockopt(zmq.LINGER, 5000)
        # Every subscriber is told of, not only the first: one that comes back may overtake its own leaving.
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        # 0 = unbounded: a replay must not lose what it publishes; its own file bounds it.
        socket.setsockopt(zmq.SNDHWM, 0)
        try:
            _attach(socket, mode, endpoint)
        except OSError:
            self._context.term()
            raise
        super().__init__(socket)

    def wait_for_subscriber(self, timeout: float) -> bool:
        """Whether somebody subscribed within ``timeout`` seconds."""
        if not self.socket.poll(int(timeout * 1000)):
            return False
        return self.socket.recv().startswith(b"\x01")

    def send(self, topic: bytes, payload: bytes) -> None:
        """Publish two frames."""
        self.socket.send_multipart((topic, payload))

    def send_frames(self, frames: Sequence[bytes]) -> None:
        """Publish recorded frames as they are."""
        self.socket.send_multipart(frames)

    def close(self, linger_ms: int = 5000) -> None:
        """Close after what was sent has left, at most ``linger_ms``."""
        super().close(linger_ms)
        self._context.term()
