"""Code that is handed in, and the versions that are kept of it (docs/registering.md)."""

from __future__ import annotations

import asyncio
import contextlib
import platform
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints
from starlette.exceptions import HTTPException

from supervisor.api.caller import Caller, caller, needs
from supervisor.errors import Failed, StratdError
from supervisor.problems import problem_of
from supervisor.registering.archive import MAX_PACKED
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission, of_archive, of_request
from supervisor.schema import CheckReport, CodeRequest, CodeVersions, Progress, Registration

JSON_LINES: Final = "application/x-ndjson"
ZIP: Final = frozenset({"application/zip", "application/x-zip-compressed", "application/octet-stream"})
MOST_SOURCE_BODY: Final = 8 * 2**20
"""Bytes of a JSON body with code: a mebibyte of it, however it is escaped."""
LARGER: Final = {
    ("POST", "/api/v1/strategies/register"): MOST_SOURCE_BODY,
    ("POST", "/api/v1/strategies/validate-code"): MOST_SOURCE_BODY,
    ("POST", "/api/v1/strategies/upload"): MAX_PACKED,
    ("PUT", "/api/v1/strategies/*"): MOST_SOURCE_BODY,
}
"""Routes whose bodies may be larger than ``[api] max_body``, and how large; ``*`` is the last segment."""


class RegisteringPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py.

    So may the two iterators, also after their first line.
    """

    async def check_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        """Return the checks of a submission as they end, then the report; nothing is registered."""
        ...

    async def register_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the registration; of what is known already, that alone."""
        ...

    async def code_versions(self, name: str, *, account: str | None = None) -> CodeVersions:
        """Return every version of a name, the newest first; with an ``account``, nothing of others."""
        ...

    async def code_content(self, name: str, version: str, who: Registrant) -> bytes:
        """Return the files of a version as a zip."""
        ...

    async def activate_code(self, name: str, version: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean this version from the next start on."""
        ...

    async def roll_back_code(self, name: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean the version that it meant before."""
        ...

    async def remove_code(self, name: str, version: str, who: Registrant) -> None:
        """Delete a version that no deployment has."""
        ...


def registrant(request: Request) -> Registrant:
    """Return who hands code in, and from where: a dependency of these routes."""
    who: Caller = caller(request)
    origin = request.client.host if request.client and request.client.host else "the Unix socket"
    return Registrant(name=who.name, account=who.account, owner=who.owner, origin=origin)


Who = Annotated[Registrant, Depends(registrant)]
Accept = Annotated[str, Header(max_length=1024)]
Name = Annotated[str, Path(max_length=130)]
Pair = Annotated[str, StringConstraints(max_length=4096, pattern="^[^=]+=")]
Version = Annotated[str, Path(max_length=64)]
LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Registered already, or the report; with JSON Lines, each check as it ends"}
}


def register_routes(api: APIRouter, daemon: RegisteringPort) -> None:
    """Add the routes to ``api``."""
    _handing_in(api, daemon)
    _versions(api, daemon)


def _handing_in(api: APIRouter, daemon: RegisteringPort) -> None:
    @api.post(
        "/strategies/register",
        status_code=201,
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Register code",
        response_model=Registration,
        responses=LINES,
    )
    async def register(body: CodeRequest, who: Who, accept: Accept = "") -> Response:
        """Check a strategy in the sandbox and keep it, as source text or as a class that dill pickled.

        The same content again is the same version, and answered with 200. With
        ``Accept: application/x-ndjson`` every check is a line as it ends.
        """
        submission = await asyncio.to_thread(of_request, body, python=platform.python_version())
        return await answered(await daemon.register_code(submission, who), accept)

    @api.post(
        "/strategies/validate-code",
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Check code",
        response_model=CheckReport,
    )
    async def validate_code(body: CodeRequest, who: Who, accept: Accept = "") -> Response:
        """Check a strategy as ``register`` does, and keep nothing."""
        submission = await asyncio.to_thread(of_request, body, python=platform.python_version())
        return await answered(await daemon.check_code(submission, who), accept)

    @api.post(
        "/strategies/upload",
        status_code=201,
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Register a zip",
        response_model=Registration,
        responses=LINES,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(
        request: Request,
        who: Who,
        *,
        accept: Accept = "",
        param: Annotated[list[Pair] | None, Query(max_length=200)] = None,
        trust: bool = False,
        check_only: bool = False,
    ) -> Response:
        """Check a strategy folder, or one module, that came as a zip, and keep it.

        ``param``, ``NAME=VALUE``, stands in for a parameter without a default while it is tried. With
        ``check_only`` nothing is kept, and the answer is the report.
        """
        given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if given not in ZIP:
            raise HTTPException(
                415, f"a zip is taken here (Content-Type: application/zip), not {given!r:.60}"
            )
        values = dict(one.split("=", 1) for one in param or ())
        data = await request.body()
        submission = await asyncio.to_thread(of_archive, data, trial=values, trust=trust)
        take = daemon.check_code if check_only else daemon.register_code
        return await answered(await take(submission, who), accept)


def _versions(api: APIRouter, daemon: RegisteringPort) -> None:
    @api.get(
        "/strategies/{name}/versions",
        dependencies=[needs("read")],
        tags=["Strategies"],
        summary="List versions",
    )
    async def versions(name: Name) -> CodeVersions:
        """Every registered version of a strategy: who registered it, when, from where, and its hash."""
        return await daemon.code_versions(name)

    @api.get(
        "/strategies/{name}/versions/{version}/source",
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Get the source",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}, "description": "All files of the version"}},
    )
    async def source(name: Name, version: Version, who: Who) -> Response:
        """The files of a version, as they were registered."""
        content = await daemon.code_content(name, version, who)
        headers = {"Content-Disposition": 'attachment; filename="strategy.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    @api.post(
        "/strategies/{name}/versions/{version}/activate",
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Activate a version",
    )
    async def activate(name: Name, version: Version, who: Who) -> CodeVersions:
        """Let the name without a version mean this one, from the next start on; what runs keeps its own."""
        return await daemon.activate_code(name, version, who)

    @api.post(
        "/strategies/{name}/rollback", dependencies=[needs("code")], tags=["Strategies"], summary="Roll back"
    )
    async def rollback(name: Name, who: Who) -> CodeVersions:
        """Let the name mean the version that it meant before this one; again, the one before that."""
        return await daemon.roll_back_code(name, who)

    @api.delete(
        "/strategies/{name}/versions/{version}",
        status_code=204,
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Delete a version",
    )
    async def remove(name: Name, version: Version, who: Who) -> None:
        """Delete a version that no deployment has and that is not the active one of several."""
        await daemon.remove_code(name, version, who)


# ---- answers ----------------------------------------------------------------------------------------
async def answered(
    progress: AsyncGenerator[Progress, None], accept: str, *, created: bool = True
) -> Response:
    """Answer with what comes last, or with a line for each, if that is what ``accept`` asks for.

    A version that is new is 201, if ``created`` says that the address it was sent to is new with it.
    """
    if JSON_LINES in accept.lower():
        return await _lines(progress)
    last = Progress()
    async with contextlib.aclosing(progress):
        async for one in progress:
            last = one
    if last.report is not None:
        return Response(last.report.model_dump_json(), media_type="application/json")
    done = last.registration
    if done is None:
        raise Failed("the checks ended without a word")
    headers = {"Location": f"/api/v1/strategies/{done.version.name}/versions"} if done.created else {}
    status = 201 if done.created and created else 200
    return Response(
        done.model_dump_json(), status_code=status, media_type="application/json", headers=headers
    )


async def _lines(progress: AsyncGenerator[Progress, None]) -> Response:
    # The first one before the head of the answer: what is refused at once has its own status.
    try:
        first = await anext(progress)
    except StopAsyncIteration:
        raise Failed("the checks ended without a word") from None
    except BaseException:
        await progress.aclose()
        raise

    async def lines() -> AsyncIterator[str]:
        async with contextlib.aclosing(progress):
            yield _line(first)
            try:
                async for one in progress:
                    yield _line(one)
            except StratdError as error:
                document = problem_of(error).model_dump(mode="json")
                yield _line(Progress(problem=document))

    return StreamingResponse(lines(), media_type=JSON_LINES)


def _line(one: Progress) -> str:
    return one.model_dump_json(exclude_none=True) + "\n"
