"""From pydantic's errors to one line each: the place, the setting, the value, what is allowed. Pure."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from supervisor.config.layers import PREFIX, Layer, Loc
from supervisor.errors import did_you_mean, near_matches
from supervisor.quantities import DURATION_ALLOWED, SIZE_ALLOWED, format_size, parse_duration, parse_size


def explain(error: ValidationError, model: type[BaseModel], said: Sequence[Layer]) -> list[str]:
    """Return a line for each mistake in ``error``; ``said`` are the layers, the winning one first."""
    return [_line(detail, model, said) for detail in error.errors(include_url=False)]


def _line(detail: ErrorDetails, model: type[BaseModel], said: Sequence[Layer]) -> str:
    loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
    layer = next((layer for layer in said if layer.holds(loc)), None)
    if layer is None:  # something that should be there and is not
        layer = next((layer for layer in said if layer.holds(loc[:-1])), None)
        place = layer.place(loc[:-1]) if layer else "settings"
        return f"{place}: {dotted(loc)} is missing: it {allowed(model, loc) or 'must be given'}"
    place = layer.place(loc)
    if detail["type"] == "extra_forbidden":
        return f"{place}: {_unknown(model, loc, layer)}"
    return f"{place}: {dotted(loc)}{_value(detail, model, loc)}: {_requirement(detail, model, loc)}"


def dotted(loc: Loc) -> str:
    """Write ``("feeds", "main", "endpoint")`` as ``feeds.main.endpoint``, and a list index as ``[0]``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "the settings"


def _unknown(model: type[BaseModel], loc: Loc, layer: Layer) -> str:
    wrong = f"there is no setting {dotted(loc)}"
    if layer.file:
        near = near_matches(dotted(loc), map(dotted, _settings_like(model, loc)))
        return wrong + (did_you_mean(near) or _siblings(model, loc))
    # A variable is one word, so it is matched whole: in STRATD_LIMTS__MAX_CONCURRENT the section is wrong.
    whole = next((where for where in layer.places if where[: len(loc)] == loc), loc)
    return wrong + did_you_mean(near_matches(variable(whole), map(variable, settings_of(model))))


def _siblings(model: type[BaseModel], loc: Loc) -> str:
    """Say what there is beside ``loc``, for who meant nothing that looks like it."""
    parent = _model_at(model, loc[:-1])
    return f"; there are {', '.join(sorted(parent.model_fields))}" if parent is not None else ""


def variable(loc: Loc) -> str:
    """Name the environment variable of a setting: ``STRATD_LIMITS__MAX_CONCURRENT``."""
    return PREFIX + "__".join(str(part) for part in loc).upper()


def _settings_like(model: type[BaseModel], loc: Loc) -> Iterable[Loc]:
    """Yield what could be meant at ``loc``: its siblings, then every other setting of that depth."""
    parent = _model_at(model, loc[:-1])
    if parent is not None:
        yield from ((*loc[:-1], name) for name in parent.model_fields)
    for known in settings_of(model):
        if len(known) == len(loc) or parent is None:
            yield known


def settings_of(model: type[BaseModel], at: Loc = ()) -> Iterable[Loc]:
    """Every setting below ``model``, depth first; a name that the operator chooses stands as ``NAME``."""
    for name, info in model.model_fields.items():
        inner = _inner(info.annotation)
        if inner is None:
            yield (*at, name)
        else:
            free = ("NAME",) if get_origin(info.annotation) is dict else ()
            yield from settings_of(inner, (*at, name, *free))


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, by itself or in a dict, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return _inner(get_args(annotation)[1])
    return None


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Return the section at ``loc``, or None if there is none."""
    at, rest = model, list(loc)
    while rest:
        info = at.model_fields.get(str(rest.pop(0)))
        inner = _inner(info.annotation) if info else None
        if info is None or inner is None:
            return None
        if get_origin(info.annotation) is dict and rest:
            rest.pop(0)
        at = inner
    return at


def _field(model: type[BaseModel], loc: Loc) -> Any:
    names = [part for part in loc if isinstance(part, str)]
    parent = _model_at(model, tuple(names[:-1])) if names else None
    return parent.model_fields.get(names[-1]) if parent else None


def _value(detail: ErrorDetails, model: type[BaseModel], loc: Loc) -> str:
    info = _field(model, loc)
    if isinstance(detail["input"], dict | list):
        return ""
    if info is not None and SecretStr in _types(info.annotation):
        return _without_secret(str(detail["input"]))
    text = json.dumps(detail["input"], ensure_ascii=False, default=str)  # true and "text", as TOML has them
    return f" = {text if len(text) <= 80 else text[:77] + '...'}"


def _without_secret(text: str) -> str:
    """Show of a URL its scheme, which is enough to find most mistakes, and of other secrets nothing."""
    scheme, separator, _ = text.partition("://")
    return f' = "{scheme}://..."' if separator and len(scheme) <= 16 else " (value not shown)"


def _types(annotation: Any) -> set[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return set().union(*(_types(part) for part in get_args(annotation)))
    return {get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation}


def _requirement(detail: ErrorDetails, model: type[BaseModel], loc: Loc) -> str:
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return "the name of a feed must be small letters, digits, - and _, at most 32"
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a table, [{dotted(loc)}]"
    own = detail.get("ctx", {}).get("error")
    message = str(own) if own is not None else detail["msg"][:1].lower() + detail["msg"][1:]
    if detail["type"] in ("path_type", "string_type"):
        return f"must be {'a path, as' if detail['type'] == 'path_type' else 'a'} text"
    return allowed(model, loc) or message


def allowed(model: type[BaseModel], loc: Loc) -> str:
    """Say what may stand at ``loc``: ``must be a whole number from 1 to 10000``.

    Empty where only the setting's own check can tell, such as an address.
    """
    info = _field(model, loc)
    if info is None:
        return ""
    kinds = _types(info.annotation) - {type(None)}
    literal = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    if literal is not None:
        return f"must be one of {', '.join(map(str, get_args(literal)))}"
    if any(getattr(item, "func", None) is parse_size for item in info.metadata):
        return f"must be a size{_bounds(info.metadata, format_size)}: {SIZE_ALLOWED}"
    if any(getattr(item, "func", None) is parse_duration for item in info.metadata):
        return f"must be a span of time{_bounds(info.metadata, '{:g}s'.format)}: {DURATION_ALLOWED}"
    nouns = {int: "a whole number", float: "a number", bool: "true or false"}
    noun = next((text for kind, text in nouns.items() if kind in kinds), "")
    return f"must be {noun}{_bounds(info.metadata, '{:g}'.format)}" if noun else ""


def _bounds(metadata: Sequence[Any], show: Callable[[Any], str]) -> str:
    """Write `` from A to B``, of the constraints of a field; nothing where it has none."""
    least: Any = None
    greatest: Any = None
    over = ""
    for item in metadata:
        for part in getattr(item, "metadata", None) or [item]:
            if isinstance(part, annotated_types.Ge):
                least = part.ge
            elif isinstance(part, annotated_types.Gt):
                least, over = part.gt, "above "
            elif isinstance(part, annotated_types.Le):
                greatest = part.le
    return "" if least is None or greatest is None else f" from {over}{show(least)} to {show(greatest)}"
