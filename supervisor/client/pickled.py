"""A class as a pickle: the one place of stratd that writes one. Nothing here, or anywhere else, opens one.

dill and not pickle: pickle stores a class by the name of its module, which for a notebook is no file.
"""

from __future__ import annotations

import ast
import base64
import inspect
import io
import linecache
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import dill

import strategies
from strategies import exports
from supervisor.client.errors import Unsendable

MOST_BYTES: Final = 3 * 2**20
"""Of a pickle; what is larger carries data, which belongs into a file beside the strategy."""


def to_pickle(what: type) -> str:
    """Return ``what`` and all of its module that it refers to, pickled, in base64.

    ``Unsendable`` for what cannot be pickled, with what that is as dill says it.
    """
    try:
        into = io.BytesIO()
        # recurse: only those globals that it refers to, not the whole notebook.
        _Pickler(into, dill.settings["protocol"], recurse=True).dump(what)
        data = into.getvalue()
    except Exception as error:  # noqa: BLE001  (whatever the reducers of strange objects raise)
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unsendable(
            f"{what.__qualname__} cannot be handed in: it refers to what cannot be pickled ({why}); "
            "make that in initialize, or write the class into a file"
        ) from None
    if len(data) > MOST_BYTES:
        raise Unsendable(
            f"{what.__qualname__} is {len(data)} bytes with all that it refers to, and at most {MOST_BYTES} "
            "can be handed in: is there a table of data among its globals?"
        )
    return base64.b64encode(data).decode()


class _Pickler(dill.Pickler):  # type: ignore[misc]  # dill has no types
    """Names what ``strategies`` offers as authors name it, and not by the module where it happens to be.

    A cell has those modules out of sight (sandbox/settling.py): asked for by name they would be loaded a
    second time, and a second ``Signal`` is none.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._offered = {id(getattr(exports, name)): name for name in exports.__all__}

    def reducer_override(self, thing: Any) -> Any:
        """Return how ``thing`` is got again, where it is one that authors import."""
        if isinstance(thing, ModuleType) and thing.__name__ != "__main__":
            return import_module, (thing.__name__,)  # dill would take along what is in it
        name = self._offered.get(id(thing))
        return NotImplemented if name is None else (getattr, (strategies, name))


def python_version() -> str:
    """Return the version that can open it: bytecode is of one minor version of Python."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def source_in_memory(what: type) -> str:
    """Return the text of a class of a notebook or prompt, for whoever looks at it later; "" if it is gone.

    inspect looks for a class in the file of its module, which there is none of; its methods know their cell.
    """
    for method in vars(what).values():
        code = getattr(inspect.unwrap(method) if callable(method) else method, "__code__", None)
        if code is None:
            continue
        text = "".join(linecache.getlines(code.co_filename))
        try:
            found = [node for node in ast.walk(ast.parse(text)) if _is(node, what)]
        except (SyntaxError, ValueError, RecursionError):  # a cell may begin with a magic
            return ""
        return ast.get_source_segment(text, found[0]) or "" if found else ""
    return ""


def _is(node: ast.AST, what: type) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == what.__name__
