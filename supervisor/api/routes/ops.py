"""The daemon itself: how it is, what it runs on, how it is configured, and all of it at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, FastAPI, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import FeedView, Health, Status
from supervisor.schema.ops import (
    Alive,
    ConfigView,
    Readiness,
    ReloadResult,
    SystemRequest,
    SystemResult,
    SystemView,
    VersionView,
)

Who = Annotated[Caller, Depends(caller)]


class OpsPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def status(self) -> Status:
        """Return the daemon's own state."""
        ...

    async def feeds(self) -> list[FeedView]:
        """Return every configured feed with its health."""
        ...

    async def readiness(self) -> Readiness:
        """Return whether the daemon can do its work, and each thing that it leans on."""
        ...

    async def version(self) -> VersionView:
        """Return what runs."""
        ...

    async def system(self) -> SystemView:
        """Return the host, the daemon's own processes, and every instance as it was sampled last."""
        ...

    async def config(self) -> ConfigView:
        """Return the settings in force, secrets as stars."""
        ...

    async def pause_all(self, *, reason: str) -> SystemResult:
        """Pause everything that is up."""
        ...

    async def resume_all(self, *, reason: str, by: str) -> SystemResult:
        """Resume what is paused; after a drain bring back what it ended."""
        ...

    async def drain(self, *, reason: str, by: str) -> SystemResult:
        """Start nothing from now on, and end what is up, in order."""
        ...

    async def reload(self) -> ReloadResult:
        """Read the settings and the strategy folders again. Raises ``SettingsError`` with every mistake."""
        ...


def probe_routes(app: FastAPI, daemon: OpsPort, version: str) -> None:
    """Add what a load balancer or a service manager asks, without a key, and without a prefix."""

    @app.get("/health", summary="Health")
    async def health() -> Health:
        """Whether the daemon answers, and its version. Needs no key."""
        return Health(version=version)

    @app.get("/livez", summary="Liveness")
    async def livez() -> Alive:
        """Whether the daemon's loop turns: if this does not answer, restart it. Needs no key."""
        return Alive()

    @app.get(
        "/readyz",
        summary="Readiness",
        responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": Readiness, "description": "Not ready"}},
    )
    async def readyz(response: Response, who: Who) -> Readiness:
        """Whether the daemon can do its work: 503 while something that it needs is not there.

        Needs no key; each thing that it leans on, with a sentence, is told to who has the scope `read`.
        """
        found = await daemon.readiness()
        if not found.ready:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return found if "read" in who.scopes else Readiness(ready=found.ready)

    # What asks for the head alone gets it (RFC 9110, 9.1): some balancers do.
    for path, probe in (("/health", health), ("/livez", livez), ("/readyz", readyz)):
        app.head(path, include_in_schema=False)(probe)


def ops_routes(api: APIRouter, daemon: OpsPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/status", dependencies=[needs("read")], summary="State of the daemon")
    async def status() -> Status:
        """The daemon's processes, feeds, counts, active layers, and what is not as it should be."""
        return await daemon.status()

    @api.get("/feeds", dependencies=[needs("read")], summary="Feeds and their health")
    async def feeds() -> list[FeedView]:
        """Every configured feed: state, lag, gaps, what was refused and why."""
        return await daemon.feeds()

    @api.get("/version", dependencies=[needs("read")], summary="Versions")
    async def version() -> VersionView:
        """What runs, and since when."""
        return await daemon.version()

    @api.get("/system", dependencies=[needs("read")], summary="Host, quotas and processes")
    async def system() -> SystemView:
        """The host, the limits, the daemon's own processes, and every instance as it was sampled last."""
        return await daemon.system()

    @api.get("/config", dependencies=[needs("admin")], summary="Settings in force")
    async def config() -> ConfigView:
        """The settings that the daemon goes by, with where each was said; secrets are stars."""
        return await daemon.config()

    _all_at_once(api, daemon)


def _all_at_once(api: APIRouter, daemon: OpsPort) -> None:
    @api.post("/system/pause-all", dependencies=[needs("admin")], summary="Pause everything")
    async def pause_all(request: SystemRequest) -> SystemResult:
        """Pause every deployment that is up; answers once each is."""
        return await daemon.pause_all(reason=request.reason)

    @api.post("/system/resume-all", dependencies=[needs("admin")], summary="Resume everything")
    async def resume_all(request: SystemRequest, who: Who) -> SystemResult:
        """Resume every paused deployment. After a drain: bring back what it ended, as it was wanted."""
        return await daemon.resume_all(reason=request.reason, by=who.name)

    @api.post("/system/drain", dependencies=[needs("admin")], summary="End everything, start nothing")
    async def drain(request: SystemRequest, who: Who) -> SystemResult:
        """Start nothing from now on and end what is up, in order; the daemon goes on living.

        What is wanted stays wanted: `resume-all`, or the daemon's next start, brings it back.
        """
        return await daemon.drain(reason=request.reason, by=who.name)

    @api.post("/system/reload", dependencies=[needs("admin")], summary="Read the settings again")
    async def reload() -> ReloadResult:
        """Take what is new of the settings and the strategy folders; no instance is touched.

        All or nothing: a file with a mistake changes nothing, and is answered with each mistake. What needs
        a restart stays as it was, and is named.
        """
        return await daemon.reload()
