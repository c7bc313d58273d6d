"""An answer as models. Pure.

What shape an answer has is said once, by the return annotation of the function that describes the request:
``Call[list[DeploymentRow]]``. It is read when a first answer of that kind has come, and not before, since
making the models takes longer than a short command lives.
"""

from __future__ import annotations

import functools
import pkgutil
import typing
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from supervisor.client.answers import Answer
from supervisor.client.errors import Garbled

LINES: Final = "application/x-ndjson"


def decoded(build: Callable[..., Any], answer: Answer) -> Any:
    """Return ``answer`` in the shape that ``build`` promises. ``Garbled`` where it is not of that shape."""
    shape = shape_of(build)
    if shape is bytes:
        return answer.body
    if shape is type(None):
        return None
    lines = answer.headers.get("content-type", "").partition(";")[0].strip() == LINES
    body = b"[" + b",".join(answer.body.splitlines()) + b"]" if lines else answer.body
    try:
        return _adapter(build).validate_json(body)
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise Garbled(
            f"the daemon's answer is not what this stratd expects, which may be of another version: {first}"
        ) from None


@functools.cache
def shape_of(build: Callable[..., Any]) -> Any:
    """Return the ``T`` of the ``Call[T]`` that ``build`` is annotated to return."""
    (shape,) = typing.get_args(typing.get_type_hints(build, localns=models())["return"])
    return shape


@functools.cache
def models() -> dict[str, Any]:
    """Return every public name of the API's schema: what return annotations are made of."""
    # Here and not above: pydantic's models take a tenth of a second, which a verb of the CLI does not need.
    from supervisor import schema  # noqa: PLC0415  (see above)

    names = (module.name for module in pkgutil.iter_modules(schema.__path__))
    modules = [import_module(f"{schema.__name__}.{name}") for name in names]
    return {name: value for module in modules for name, value in vars(module).items() if name[0] != "_"}


@functools.cache
def _adapter(build: Callable[..., Any]) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415  (as above)

    return TypeAdapter(shape_of(build))
