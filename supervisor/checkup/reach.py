"""Whether what the configuration names on the network is there: connected to, and nothing is asked of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from supervisor.checkup.distribution import POSTGRESQL, REDIS, Family
from supervisor.config import Settings
from supervisor.redis_ping import ping
from supervisor.routes.kinds import BUILT_IN, GROUP
from supervisor.routes.spec import RouteSpec
from supervisor.schema import LayerView

TIMEOUT: Final = 2.0
_AT_ONCE: Final = 16
_PORTS: Final = {"http": 80, "https": 443, "postgresql": 5432}
_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}


class Target(NamedTuple):
    """What is to be reached: its name in the report, how, and what brings it if it is not there."""

    name: str
    reach: Callable[[], str]
    command: str = ""


def look(settings: Settings, family: Family) -> list[LayerView]:
    """Return a view for each target, all of them tried at the same time."""
    wanted = [*_services(settings, family), *(_route(spec) for spec in settings.route_specs)]
    if not wanted:
        return []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_view, wanted))


def _view(target: Target) -> LayerView:
    try:
        return LayerView(name=target.name, state="active", detail=target.reach())
    except NotImplementedError as error:
        return LayerView(name=target.name, state="off", detail=str(error))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return LayerView(name=target.name, state="missing", detail=why, command=target.command)


def _services(settings: Settings, family: Family) -> Iterator[Target]:
    if (redis := settings.redis.url) is not None:
        url, password = redis.get_secret_value(), settings.redis.password
        secret = password.get_secret_value() if password else None
        yield Target("redis", lambda: ping(url, secret), REDIS[family] if _is_local(url) else "")
    database = settings.database_url
    if database.startswith("postgresql"):
        command = POSTGRESQL[family] if _is_local(database) else ""
        yield Target("database", lambda: connect(database.replace("+psycopg", "", 1)), command)
    if (risk := settings.services.risk_management_url) is not None:
        yield Target("risk service", lambda: connect(risk.get_secret_value()))


def _route(spec: RouteSpec) -> Target:
    def reach() -> str:
        if not spec.url and spec.kind in BUILT_IN:
            raise ValueError(f"routes.{spec.name} has no url")
        if spec.kind == "redis":
            return ping(spec.url, spec.key or None)
        if spec.kind in ("http", "zmq"):
            return connect(spec.url)
        if spec.kind not in {offer.name for offer in entry_points(group=GROUP)}:
            raise ValueError(f'kind "{spec.kind}": no such kind is installed')
        raise NotImplementedError(f"kind {spec.kind!r} is a package's own: it is asked by the daemon only")

    return Target(f"route {spec.name}", reach)


def connect(url: str) -> str:
    """Connect to where ``url`` is, shake hands where it is TLS, and hang up; return where that was.

    Raises ``OSError`` or ``ValueError`` with the place, never with the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "ipc":
        return _unix(parts.path)
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(f"a {parts.scheme or 'text'} URL without host and port")
    where = f"{parts.hostname}:{port}"
    try:
        with socket.create_connection((parts.hostname, port), TIMEOUT) as plain:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname):
                    return f"{where} takes connections over TLS"
    except OSError as error:
        raise OSError(error.errno, f"{where}: {error.strerror or error}") from None
    return f"{where} takes connections"


def _unix(path: str) -> str:
    # 0MQ makes its sockets when it binds; who connects to one that is not there waits for it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(TIMEOUT)
        try:
            caller.connect(path)
        except OSError as error:
            raise OSError(error.errno, f"{path}: {error.strerror or error}") from None
    return f"{path} takes connections"


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" or (parts.hostname or "localhost") in _LOCAL
