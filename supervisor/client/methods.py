"""How a description of a request becomes a method: with its name, its signature and its words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

M = TypeVar("M", bound=Callable[..., Any])
SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)


def described(method: M, build: Callable[..., Any]) -> M:
    """Return ``method`` as ``help()`` and an editor should see it: as ``build``, of a client.

    Not functools.wraps: a bound method would then be shown without the first argument of ``build``.
    """
    method.__name__ = build.__name__
    method.__doc__ = build.__doc__
    signature = inspect.signature(build)
    shape = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    shown = inspect.Signature((SELF, *signature.parameters.values()), return_annotation=shape)
    method.__signature__ = shown  # type: ignore[attr-defined]  # inspect reads it
    return method
