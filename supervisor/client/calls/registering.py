"""Handing code in, and which version of it is meant (docs/registering.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.client.call import ACTION_TIMEOUT, Call, get, given, json_bytes, listed, segment, send, target
from supervisor.client.errors import Unsendable

if TYPE_CHECKING:
    from supervisor.schema import CheckReport, CodeVersions, Registration

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Defaults by name, or specifications as in config.json (docs/strategies.md)."""


def register(
    what: type | str | Path,
    *,
    name: str | None = None,
    description: str | None = None,
    type: str | None = None,  # noqa: A002  (what the API calls it)
    instruments: Sequence[str] | None = None,
    timeframe: str | None = None,
    parameters: Parameters | None = None,
    trial: Mapping[str, Any] | None = None,
    trust: bool | None = None,
    pickled: bool | None = None,
) -> Call[Registration]:
    """Register a strategy: a class, the path of a file, folder or zip, or source text.

    It is checked step by step in the sandbox, ``Invalid`` says what is wrong and on which line. The same code
    again is the same version. A class that stands in a file is handed in as that file's text, one of a
    notebook as a pickle; ``pickled`` decides it. ``trial`` stands in for parameters without a default while
    the code is tried. A folder or zip says the rest itself, in its config.json.
    """
    stated = given(
        name=name, description=description, type=type, instruments=listed(instruments), timeframe=timeframe,
        parameters=parameters, trial=trial, trust=trust,
    )  # fmt: skip
    return _hand_in("strategies/register", what, stated, pickled)


def replace_strategy(
    strategy_id: str,
    what: type | str | Path,
    *,
    name: str | None = None,
    description: str | None = None,
    type: str | None = None,  # noqa: A002  (what the API calls it)
    instruments: Sequence[str] | None = None,
    timeframe: str | None = None,
    parameters: Parameters | None = None,
    trial: Mapping[str, Any] | None = None,
    trust: bool | None = None,
    pickled: bool | None = None,
    if_match: str | None = None,
) -> Call[Registration]:
    """Register a class, a file or source text under this id, in the place of the version that it means.

    ``if_match``, the ETag of ``strategy``: only if nobody has registered, activated or relabelled one since,
    ``Stale`` otherwise. ``name`` is what people call it, if that is not its id. Folders are for ``register``.
    """
    stated = given(
        name=name or strategy_id, description=description, type=type, instruments=listed(instruments),
        timeframe=timeframe, parameters=parameters, trial=trial, trust=trust,
    )  # fmt: skip
    # Here and not above: as in ``_hand_in``.
    from supervisor.client.packing import pack  # noqa: PLC0415  (see above)

    packed = pack(what, pickled=pickled)
    if packed.archive is not None:
        raise Unsendable(f"{what}: a folder or zip says its own name in its config.json: register it")
    route = f"strategies/{segment(strategy_id, 'strategy')}"
    return send("PUT", route, {**stated, **packed.fields}, if_match=if_match)


def validate_code(
    what: type | str | Path,
    *,
    name: str | None = None,
    instruments: Sequence[str] | None = None,
    timeframe: str | None = None,
    parameters: Parameters | None = None,
    trial: Mapping[str, Any] | None = None,
    trust: bool | None = None,
    pickled: bool | None = None,
) -> Call[CheckReport]:
    """Check what ``register`` would, and register nothing."""
    stated = given(
        name=name, instruments=listed(instruments), timeframe=timeframe, parameters=parameters, trial=trial,
        trust=trust,
    )  # fmt: skip
    return _hand_in("strategies/validate-code", what, stated, pickled)


def versions(name: str) -> Call[CodeVersions]:
    """Every version of registered code, the newest first, and which of them its name means."""
    return get(f"strategies/{segment(name, 'strategy')}/versions")


def activate(name: str, version: str) -> Call[CodeVersions]:
    """Let ``name`` mean ``version`` from now on; what runs keeps the version that it has."""
    return send("POST", f"{_version(name, version)}/activate")


def version_source(name: str, version: str) -> Call[bytes]:
    """The files of a version as they were registered, a zip."""
    return get(f"{_version(name, version)}/source")


def remove_version(name: str, version: str) -> Call[None]:
    """Delete a version that no deployment has."""
    return send("DELETE", _version(name, version))


def rollback(name: str) -> Call[CodeVersions]:
    """Let ``name`` mean the version again that it meant before."""
    return send("POST", f"strategies/{segment(name, 'strategy')}/rollback")


def _version(name: str, version: str) -> str:
    return f"strategies/{segment(name, 'strategy')}/versions/{segment(version, 'version')}"


def _hand_in(route: str, what: type | str | Path, stated: dict[str, Any], pickled: bool | None) -> Call[Any]:
    # Here and not above: what pickles and zips takes 0.05 s to import, which every other request would pay.
    from supervisor.client.packing import pack  # noqa: PLC0415  (see above)

    packed = pack(what, pickled=pickled)
    if packed.archive is None:
        return send("POST", route, {**given(name=packed.name or None), **stated, **packed.fields})
    unsaid = sorted(set(stated) - {"trial", "trust"})
    if unsaid:
        raise Unsendable(f"{what}: its config.json says that, not {' or '.join(unsaid)} of this call")
    trial = json_bytes(stated["trial"]).decode() if "trial" in stated else None
    query = given(trial=trial, trust=stated.get("trust"), dry_run=route.endswith("validate-code") or None)
    headers = (("Content-Type", "application/zip"),)
    return Call("POST", target("strategies/upload", query), packed.archive, headers, ACTION_TIMEOUT)
