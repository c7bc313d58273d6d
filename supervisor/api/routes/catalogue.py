"""The strategies that there are: read, checked against, searched for again, taken out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol, get_args

from fastapi import APIRouter, Depends, Path, Query, Response

from strategies.scaffold import contents
from supervisor.api.caller import Caller, caller, needs
from supervisor.api.etags import tag_of
from supervisor.errors import Refused
from supervisor.schema import RegisterRequest, RescanResult, StrategyView
from supervisor.schema.catalogue import (
    ParametersReport,
    ParametersRequest,
    SourceView,
    StrategyDetail,
    StrategyList,
    StrategyRow,
    StrategyType,
    StrategyTypes,
    TemplateFile,
    TemplateView,
)

LOCAL: Final = "local_only"
"""The rule by which what names files of the daemon's host is refused to who comes with a key."""
Id = Annotated[
    str,
    Path(
        max_length=200,
        description="`NAME`, which means its version in force, or `NAME@VERSION`.",
        examples=["moving_average_crossover"],
    ),
]


def standing(view: StrategyDetail) -> StrategyDetail:
    """Return what the tag of a strategy stands for: itself, not what its deployments make of it."""
    return view.model_copy(update={"status": "registered", "instruments": [], "timeframe": ""})


class CataloguePort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def strategies(self, *, account: str | None = None) -> list[StrategyRow]:
        """Return every sound strategy, by name, with what its deployments make of it.

        With an ``account``, here and below, those of others count for nothing, and their code is unknown.
        """
        ...

    async def catalogue(self, *, account: str | None = None) -> list[StrategyView]:
        """Return every version of every strategy, broken folders included."""
        ...

    async def strategy(self, reference: str, *, account: str | None = None) -> StrategyDetail:
        """Return everything about one version: that of ``NAME@VERSION``, or the one that ``NAME`` means."""
        ...

    async def strategy_schema(self, reference: str, *, account: str | None = None) -> dict[str, Any]:
        """Return the JSON Schema of a strategy's parameters; one that declares none takes any."""
        ...

    async def strategy_source(self, reference: str, *, account: str | None = None) -> SourceView:
        """Return the code of a strategy, as cells are shown it.

        With an ``account`` registered code of others is unknown; folders are everybody's.
        """
        ...

    async def validate_parameters(
        self, reference: str, parameters: Mapping[str, Any], *, account: str | None = None
    ) -> ParametersReport:
        """Return what a strategy would make of ``parameters``, or everything that is wrong with them."""
        ...

    async def rescan(self, *, account: str | None = None) -> RescanResult:
        """Search the strategy folders again; with an ``account`` nothing is told of what is of others."""
        ...

    async def register(self, path: str) -> StrategyView:
        """Add the strategy folder or file at the absolute ``path`` to the catalogue, for good."""
        ...

    async def unregister(self, reference: str, *, by: str) -> RescanResult:
        """Take what was registered out of the catalogue: of a path the files stay, of code they go."""
        ...


def catalogue_routes(api: APIRouter, daemon: CataloguePort) -> None:
    """Add the routes to ``api``."""
    _lists(api, daemon)
    _changes(api, daemon)
    _one(api, daemon)


def _lists(api: APIRouter, daemon: CataloguePort) -> None:
    @api.get("/strategies", dependencies=[needs("read")], summary="List strategies")
    async def strategies() -> StrategyList:
        """Every sound strategy, one row a name, with the status that its deployments give it."""
        return StrategyList(strategies=await daemon.strategies())

    @api.get("/catalogue", dependencies=[needs("read")], summary="List all versions")
    async def catalogue() -> list[StrategyView]:
        """Every version of every strategy with its parameters; broken folders with what is wrong."""
        return await daemon.catalogue()

    @api.get("/strategy-types", dependencies=[needs("read")], summary="List types of strategies")
    async def types() -> StrategyTypes:
        """Every type that a strategy's `config.json`, or its registration, may say."""
        return StrategyTypes(types=list(get_args(StrategyType)))

    # Before /strategies/{id}: a strategy called "template" is template@VERSION there.
    @api.get("/strategies/template", dependencies=[needs("read")], summary="Files of a new strategy")
    async def template(
        type: StrategyType = "custom",  # noqa: A002  (the name of the query's field)
        name: Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "my_strategy",
    ) -> TemplateView:
        """What `stratd new NAME` writes: a strategy that works, with a test that passes."""
        files = [TemplateFile(name=file, text=text) for file, text in contents(name, type).items()]
        return TemplateView(name=name, type=type, files=files)


def _changes(api: APIRouter, daemon: CataloguePort) -> None:
    @api.post("/strategies/rescan", dependencies=[needs("code")], summary="Search again")
    async def rescan() -> RescanResult:
        """Search the strategy folders again; answers what changed."""
        return await daemon.rescan()

    # Not /strategies/register, which takes source text: this one takes a path of the daemon's own host.
    @api.post(
        "/strategies/register-path",
        status_code=201,
        dependencies=[needs("code")],
        summary="Register a path",
    )
    async def register(request: RegisterRequest, who: Annotated[Caller, Depends(caller)]) -> StrategyView:
        """Add a folder or file of the daemon's own host to the catalogue, for good.

        Over the Unix socket only: who is not on that host does not get to read its files through the daemon.
        """
        if who.key:
            raise Refused(
                LOCAL,
                "a path is of the daemon's own host, and taken over its Unix socket only: hand the code "
                "itself in (/api/v1/strategies/register or upload)",
            )
        return await daemon.register(request.path)

    @api.delete("/strategies/{strategy_id}", dependencies=[needs("code")], summary="Unregister")
    async def unregister(strategy_id: Id, who: Annotated[Caller, Depends(caller)]) -> RescanResult:
        """Take a registered strategy out of the catalogue; refused while deployments have it.

        Of one that was registered by its path the files stay, of registered code the version goes. One that
        lies in a folder that is searched is not unregistered but taken from there.
        """
        return await daemon.unregister(strategy_id, by=who.name)


def _one(api: APIRouter, daemon: CataloguePort) -> None:
    @api.get("/strategies/{strategy_id}", dependencies=[needs("read")], summary="One strategy")
    async def strategy(strategy_id: Id, response: Response) -> StrategyDetail:
        """Everything about one version of a strategy, its parameters included."""
        view = await daemon.strategy(strategy_id)
        response.headers["ETag"] = tag_of(standing(view))
        return view

    @api.get(
        "/strategies/{strategy_id}/schema",
        dependencies=[needs("read")],
        summary="JSON Schema of its parameters",
        response_description="JSON Schema, draft 2020-12",
    )
    async def schema(strategy_id: Id) -> dict[str, Any]:
        """The parameters of a strategy as JSON Schema 2020-12; constraints between them as `$comment`."""
        return await daemon.strategy_schema(strategy_id)

    @api.get("/strategies/{strategy_id}/source", dependencies=[needs("code")], summary="Its source")
    async def source(strategy_id: Id) -> SourceView:
        """The code of a strategy as its processes are shown it: the stored copy."""
        return await daemon.strategy_source(strategy_id)

    @api.post(
        "/strategies/{strategy_id}/validate",
        dependencies=[needs("read")],
        summary="Try parameters",
    )
    async def validate(strategy_id: Id, request: ParametersRequest) -> ParametersReport:
        """What a strategy would make of parameters; nothing is started, and every mistake is told at once."""
        return await daemon.validate_parameters(strategy_id, request.parameters)
