"""``stratd serve``: one daemon in the foreground, from its first check to exit 0."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.nursery import NurseryError
from supervisor import calendars
from supervisor.config import Settings, load
from supervisor.daemon import Daemon
from supervisor.errors import Failed
from supervisor.log_setup import configure_log
from supervisor.paths import config_path
from supervisor.premises import check_packages
from supervisor.systemd import inherited_sockets

if TYPE_CHECKING:
    from supervisor.api.server import ApiServer
    from supervisor.port import Port


def serve(settings: Settings, *, config: Path | None = None) -> int:
    """Run until SIGTERM or SIGINT; 0. Raises a ``StratdError`` with a sentence if it cannot start.

    Whatever this process and those that it starts create is their user's alone, as under the unit (UMask=).
    """
    os.umask(0o077)
    # The watchdog of systemd aborts a daemon whose loop is stuck: then its log says where.
    faulthandler.enable(file=sys.stderr)
    check_packages()
    configure_log(settings)
    read = config_path(os.environ, os.geteuid(), config)
    try:
        inherited = inherited_sockets()
    except ValueError as error:
        raise Failed(str(error)) from None
    return asyncio.run(
        _serve(settings, read if read.exists() else None, lambda: load(file=config), inherited)
    )


async def _serve(
    settings: Settings,
    config: Path | None,
    reread: Callable[[], Settings],
    inherited: Mapping[str, socket.socket],
) -> int:
    def tables(names: list[str]) -> dict[str, Any]:
        today = datetime.now(UTC).date()
        return dict(calendars.tables(calendars.load(names, settings.state_dir / "calendars", today)))

    daemon = Daemon(settings, calendars=tables, config=config, reread=reread)
    api: ApiServer | None = None
    port: Port | None = None
    try:
        try:
            await daemon.launch()
        except NurseryError as error:
            raise Failed(f"no cell can be started: {error}") from None
        port, api = _api(daemon, settings, inherited)
        api.open()  # a port that is taken ends a daemon that has started nothing yet
        await port.begin()
        _settle_garbage()
        await daemon.go_on()
        await api.start()
        await daemon.run_until_stopped()
        await daemon.stop_deployments()
    finally:
        await daemon.hub.close()  # else its listeners keep the API from closing
        if api is not None:
            await api.close()
        if port is not None:
            await port.end()
        await daemon.stop()
    return 0


def _settle_garbage() -> None:
    """Keep the collector off what lives as long as the daemon does: modules, models and routes.

    Looking through all of it takes 100 ms in which nobody is answered. Not even once before: of 120,000
    objects it finds 2,000 that nobody needs, and it would be a tenth of a start.
    """
    gc.freeze()
    gc.enable()  # whoever started this may have had it rest meanwhile


def tell(daemon: Daemon, problem: str) -> None:
    """Tell status and log what is wrong with the API: it comes too late for those of the start."""
    daemon.problems["api"] = problem
    daemon.events.note("problem", problem)


def _api(
    daemon: Daemon, settings: Settings, inherited: Mapping[str, socket.socket]
) -> tuple[Port, ApiServer]:
    # Here, while zygote and engine import on the other processors: FastAPI takes 300 ms of a start.
    from supervisor.api.app import Guards  # noqa: PLC0415
    from supervisor.api.bounds import Bounds  # noqa: PLC0415
    from supervisor.api.door import Keys  # noqa: PLC0415
    from supervisor.api.following import Following  # noqa: PLC0415
    from supervisor.api.idempotency import Durable  # noqa: PLC0415
    from supervisor.api.listeners import Tls  # noqa: PLC0415
    from supervisor.api.server import ApiServer, Tcp  # noqa: PLC0415
    from supervisor.port import Port  # noqa: PLC0415

    wanted, port = settings.api, Port(daemon)
    cert, keys = wanted.tls_cert, Keys(port.keyring, rate=wanted.rate, failures=wanted.failures)
    guards = Guards(
        keys=keys,
        trail=port.trail,
        durable=Durable(port.answers, daemon.in_database),
        timeout=wanted.timeout,
        max_body=wanted.max_body,
        names=(*wanted.names, wanted.host),
    )
    server = ApiServer(
        port,
        settings.api_socket,
        version=metadata.version("stratd"),
        guards=guards,
        bounds=Bounds(
            connections=wanted.max_connections,
            waiting=wanted.max_waiting,
            handshake=wanted.handshake_timeout,
            request=wanted.request_timeout,
        ),
        group=wanted.group,
        tcp=Tcp(
            host=wanted.host,
            port=wanted.port,
            tls=Tls(cert, wanted.tls_key, wanted.tls_client_ca) if cert else None,
            chosen=wanted.chosen,
        ),
        inherited=inherited,
        on_refused=lambda peer: daemon.events.note("peer_refused", str(peer)),
        on_problem=lambda line: tell(daemon, line),
    )
    daemon.reloading.followers += [
        Following(settings, keys, server, daemon.problems),
        daemon.notifications.follow,
    ]
    return port, server
