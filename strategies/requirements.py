"""requirements.txt of a strategy: the packages that it needs, each pinned to a version and to its content.

Reads that one file, and is pure but for that.

The form is that of ``uv pip compile --generate-hashes`` and ``pip-compile --generate-hashes``: a subset of
pip's requirements files (pip.pypa.io, "Requirements File Format" and "Hash-checking Mode"). What an author
may say is *which* files; where they come from, and how they are installed, is for the operator to say. So
there are no options, no URLs, no paths and no variables, and nothing that is not known by its hash.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from strategies import content
from strategies.errors import Problem

FILE: Final = "requirements.txt"
MAX_BYTES: Final = 2**20
MAX_PACKAGES: Final = 256
MAX_PROBLEMS: Final = 20
"""So many lines are told of; the rest of a file of another kind would say the same again."""
HOW_TO: Final = "uv pip compile --generate-hashes requirements.in -o requirements.txt"
"""What makes such a file."""
MARKERS: Final = frozenset(
    {
        "implementation_name", "implementation_version", "os_name", "platform_machine",
        "platform_python_implementation", "platform_system", "python_full_version", "python_version",
        "sys_platform",
    }
)  # fmt: skip
"""Variables of a marker (PEP 508). Not ``platform_release`` and ``platform_version``: under another kernel
the same lock would name other files. ``extra`` is of no use where no dependency is looked for."""

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?)(?:\[[A-Za-z0-9._,-]*\])?"
                  r"==(?P<version>[0-9][A-Za-z0-9.!+_-]{0,63})")  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH = re.compile(r"--hash[=\s]\s*(?P<kind>[a-z0-9]+):(?P<digest>[0-9A-Fa-f]+)")
_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Digits of the hashes that pip's hash-checking mode takes; md5 and sha1 can be forged."""
_TOKEN = re.compile(
    r"""\s*(?P<token>'[\w\s.*+!<>=,-]*'|"[\w\s.*+!<>=,-]*"|[A-Za-z_]+|===|[<>=!~]=|[<>]|\(|\))""", re.ASCII
)
_WORDS = MARKERS | {"and", "or", "in", "not"}


class Requirement(Struct, frozen=True, order=True):
    """One package: ``name`` normalised (PEP 503), ``marker`` or "", ``hashes`` as ``kind:digest``."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        """The line of a requirements file, as uv and pip read it."""
        only_where = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}=={self.version}{only_where} {' '.join(f'--hash={h}' for h in self.hashes)}"


class Lock(Struct, frozen=True):
    """All packages of a strategy, sorted: files that name the same are equal, however they are written."""

    requirements: tuple[Requirement, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The packages, each once, though it may stand there for several Pythons."""
        return tuple(sorted({one.name for one in self.requirements}))

    @property
    def text(self) -> str:
        """The file as it is handed to uv: never the author's own."""
        return "".join(f"{one}\n" for one in self.requirements)


def read(folder: Path, problems: list[Problem]) -> Lock | None:
    """Return what the strategy in ``folder`` needs, None for nothing; all that is wrong goes to ``problems``.

    ``OSError`` if the file cannot be read.
    """
    path = folder / FILE
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():  # a link could lead to a secret, whose lines would be shown
        problems.append(Problem(FILE, "is no regular file"))
        return None
    if path.stat().st_size > MAX_BYTES:
        problems.append(Problem(FILE, f"is larger than {MAX_BYTES:,} bytes"))
        return None
    try:
        text = content.read(path, MAX_BYTES, follow=False).decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem(FILE, "is not UTF-8"))
        return None
    return parse(text, problems)


def parse(text: str, problems: list[Problem]) -> Lock | None:
    """Return the lock that ``text`` is, None if it names nothing; one problem a line that is wrong."""
    found: list[Requirement] = []
    wrong: list[Problem] = []
    for number, line in _lines(text):
        try:
            found.append(_requirement(line))
        except ValueError as error:
            wrong.append(Problem(f"{FILE}:{number}", str(error)))
            if len(wrong) == MAX_PROBLEMS:
                break
    lock = Lock(tuple(sorted(set(found))))
    wrong += _doubts(lock)
    problems += wrong
    return lock if found and not wrong else None


def _doubts(lock: Lock) -> Iterator[Problem]:
    """Yield what is wrong with lines that are right one by one."""
    if len(lock.names) > MAX_PACKAGES:
        yield Problem(FILE, f"names more than {MAX_PACKAGES} packages")
        return
    lines = Counter(one.name for one in lock.requirements)
    for one in lock.requirements:
        if lines[one.name] > 1 and not one.marker:
            yield Problem(FILE, f"{one.name} stands there twice, and {one.version} has no marker")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines with the number of their first one: no comments, a backslash goes on (pip)."""
    first = 0
    parts: list[str] = []
    for number, physical in enumerate(text.splitlines(), 1):
        if physical.lstrip().startswith("#"):
            continue
        line = _COMMENT.sub("", physical).strip()
        first = first if parts else number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            if whole := " ".join(filter(None, parts)):
                yield first, whole
            parts = []
    if whole := " ".join(filter(None, parts)):
        yield first, whole


def _requirement(line: str) -> Requirement:
    """Read one logical line. ``ValueError`` says what is wrong with it."""
    if line.startswith("-"):
        option = re.split(r"[\s=]", line, maxsplit=1)[0]
        raise ValueError(
            f"{_shown(option)}: no option is allowed; packages come from where the operator says ([packages])"
        )
    head, marker, options = _split(line)
    if "://" in line or "@" in head or head.startswith((".", "/", "~")):
        raise ValueError(f"{_shown(head)}: no URL and no path is allowed, only NAME==VERSION with its hashes")
    pin = _PIN.fullmatch(re.sub(r"\s*==\s*", "==", head))
    if pin is None:
        name = _NAME.match(head)
        wanted = f"{name[0]}==VERSION" if name and len(name[0]) < 60 else "NAME==VERSION"
        raise ValueError(f"{_shown(head)}: expected one version of one package, {wanted} ({HOW_TO})")
    return Requirement(
        name=re.sub(r"[-_.]+", "-", pin["name"]).lower(),
        version=pin["version"],
        marker=_marker(marker),
        hashes=_hashes(pin["name"], options),
    )


def _split(line: str) -> tuple[str, str, str]:
    """Return requirement, marker and options, without the blanks around them."""
    before, dashes, after = line.partition(" --")
    head, _, marker = before.partition(";")
    return head.strip(), marker.strip(), f"{dashes}{after}".strip()


def _hashes(name: str, options: str) -> tuple[str, ...]:
    found = set()
    for given in _HASH.finditer(options):
        kind, digest = given["kind"], given["digest"].lower()
        if len(digest) != _DIGITS.get(kind):
            known = ", ".join(f"{kind} ({digits} digits)" for kind, digits in _DIGITS.items())
            raise ValueError(f"{_shown(given[0])}: expected a hash of {known}")
        found.add(f"{kind}:{digest}")
    if rest := _HASH.sub("", options).strip():
        raise ValueError(f"{_shown(rest)}: no option but --hash is allowed")
    if not found:
        raise ValueError(f"{name} has no --hash, so that it could be any file of that name ({HOW_TO})")
    return tuple(sorted(found))


def _marker(text: str) -> str:
    """Return the marker with single blanks. Its grammar is uv's business, its variables are ours."""
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        token = match["token"] if match else ""
        if match is None or (token[0].isalpha() and token not in _WORDS):
            what = _shown(token or text[at:])
            raise ValueError(f"{what}: no part of a marker; it may ask for {', '.join(sorted(MARKERS))}")
        tokens.append(token)
        at = match.end()
    return " ".join(tokens)


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
