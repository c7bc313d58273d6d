"""Reads the modules of a submission, in a cell of its own: decoding, syntax, one strategy class.

Rules of this file. It is the ``strategy.py`` of a throw-away cell, with the files to be read in ``submitted``
beside it (``process.py``): the parser and the compiler, too, are let loose on a stranger's text only where
they can crash, spin or eat memory without harm. Nothing of it is run. It imports what every cell has, and
nothing else. What it finds is written to stdout: a line of JSON each.
"""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig

SUBMITTED = Path(__file__).with_name("submitted")
ROOTS = {"IStrategy", "BaseStrategy"}
Finding = dict[str, object]


def say(**said: object) -> None:
    """Print one line: ``at`` names the step that begins, ``step`` one that has ended."""
    sys.stdout.write(json.dumps(said) + "\n")


class Problem(Exception):
    """Something is wrong; ``line`` and ``column`` count from 1, 0 for nowhere."""

    def __init__(self, what: str, file: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.place: dict[str, object] = {"file": file, "line": line, "column": column}


# ---- steps ------------------------------------------------------------------------------------------
def decoding(texts: dict[str, bytes]) -> str:
    """Every module is text in the encoding that it declares (PEP 263), UTF-8 if it declares none."""
    for name, content in texts.items():
        if 0 in content:
            line = content[: content.index(0)].count(b"\n") + 1
            raise Problem("holds a null byte, which no Python source does", name, line)
        try:
            content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            if b"coding" not in b"\n".join(content.splitlines()[:2]):
                said = f"byte {error.start + 1} is 0x{content[error.start]:02x}, which is not UTF-8"
                raise Problem(said, name, line) from None
    lines = sum(content.count(b"\n") + 1 for content in texts.values())
    return f"{len(texts)} module{'s' * (len(texts) != 1)}, {lines:,} lines"


def syntax(texts: dict[str, bytes], trees: dict[str, ast.Module]) -> str:
    """Every module is Python, as the interpreter of this host reads it."""
    for name, content in texts.items():
        try:
            trees[name] = tree = ast.parse(content, name)
            # What only the compiler notices: a return outside of a function, a nonlocal of nothing.
            compile(tree, name, "exec", dont_inherit=True)
        except SyntaxError as error:
            text = (error.text or "").strip()[:200]
            what = f"{error.msg}: {text}" if text else str(error.msg)
            raise Problem(what, name, error.lineno or 0, error.offset or 0) from None
        except (MemoryError, RecursionError):
            raise Problem("is nested too deeply to be read", name) from None
        except ValueError as error:
            raise Problem(str(error), name) from None
    return ""


def one_class(tree: ast.Module, name: str, wanted: str) -> str:
    """The module defines one strategy, or the one that config.json names; its import decides the rest."""
    classes = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
    known = _names_of_roots(tree)
    if wanted:
        if wanted not in classes and not _may_hide(tree):
            raise Problem(f"config.json names the class {wanted}, and there is none", name)
        return wanted
    bases = {base for one in classes.values() for base in map(_last_name, one.bases)}
    leaves = [one for one in classes.values() if one.name not in bases and _derives(one, classes, known)]
    sure = [one for one in leaves if _derives(one, classes, known) == "surely" and _whole(one, classes)]
    if len(sure) > 1:
        named = ", ".join(f"{one.name} (line {one.lineno})" for one in sure)
        raise Problem(
            f'defines several strategies: {named}; name one of them in config.json as "class"',
            name,
            sure[1].lineno,
            sure[1].col_offset + 1,
        )
    if not leaves and not _may_hide(tree):
        used = next((n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in ROOTS), None)
        if used is not None and used.id not in known:
            what = f"{used.id} is used and never imported: begin with 'from strategies import {used.id}'"
            raise Problem(what, name, used.lineno, used.col_offset + 1)
        raise Problem("defines no class that derives from IStrategy (or BaseStrategy)", name)
    return ", ".join(one.name for one in sure or leaves)


def _names_of_roots(tree: ast.Module) -> set[str]:
    """Return the names that the module has for ``IStrategy``."""
    known: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                if one.name in ROOTS:
                    known.add(one.asname or one.name)
                elif one.name == "*" and (node.module or "").startswith("strategies"):
                    known |= ROOTS
    return known


def _may_hide(tree: ast.Module) -> bool:
    """Whether the module may define classes in a way that its top level does not show."""
    assigned = (ast.Assign, ast.AnnAssign, ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Expr, ast.Match)
    return any(isinstance(node, assigned) and not _is_plain(node) for node in tree.body)


def _is_plain(node: ast.stmt) -> bool:
    """Whether a statement of the top level makes no class for sure."""
    return not any(isinstance(inner, ast.ClassDef | ast.Call) for inner in ast.walk(node))


def _derives(one: ast.ClassDef, classes: dict[str, ast.ClassDef], known: set[str]) -> str:
    """Return ``surely``, ``perhaps`` (a base is not defined here) or nothing, for deriving from a root."""
    found, todo, seen = "", [one], set()
    while todo:
        current = todo.pop()
        if current.name in seen:
            continue
        seen.add(current.name)
        for base in current.bases:
            name = _last_name(base)
            if name in known or (name in ROOTS and isinstance(base, ast.Attribute)):
                return "surely"
            if name in classes:
                todo.append(classes[name])
            elif name not in {"object", "ABC", "Protocol", "Enum", "NamedTuple", "Exception", *ROOTS}:
                found = "perhaps"
    return found


def _whole(one: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    """Whether a class, or those of this module that it derives from, define what a strategy has to."""
    defined: set[str] = set()
    todo, seen = [one], set()
    while todo:
        current = todo.pop()
        if current.name not in seen:
            seen.add(current.name)
            defined |= {inner.name for inner in current.body if isinstance(inner, ast.FunctionDef)}
            todo += [classes[name] for base in current.bases if (name := _last_name(base)) in classes]
    return {"initialize", "on_candle_complete"} <= defined


def _last_name(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


# ---- all of them ------------------------------------------------------------------------------------
def steps(entry: str, wanted: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each step with its name; it returns what it found, or raises ``Problem``."""
    trees: dict[str, ast.Module] = {}
    modules = sorted(path for path in SUBMITTED.rglob("*.py") if path.is_file())
    texts = {str(path.relative_to(SUBMITTED)): path.read_bytes() for path in modules}
    yield "decoding", lambda: decoding(texts)
    yield "syntax", lambda: syntax(texts, trees)
    yield "strategy class", lambda: one_class(trees[entry], entry, wanted)


class Reader(IStrategy):
    """Reads in ``initialize``, and is ended afterwards."""

    def initialize(self, config: StrategyConfig) -> None:
        """Read, and print what was found; the first problem is the last line."""
        warnings.simplefilter("ignore")
        for name, step in steps(config.parameters["entry"], config.parameters["class"]):
            say(at=name)
            try:
                say(step=name, ok=True, detail=step())
            except Problem as problem:
                say(step=name, ok=False, detail=str(problem)[:2000], **problem.place)
                return

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        """Nothing is traded here."""
