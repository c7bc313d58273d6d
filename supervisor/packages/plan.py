"""What installing the packages of a strategy means: where from, under which name, by which command. Pure.

The folder of an installation is named by what is in it (``key``): the same lock on the same Python gives the
same files, because every file is known by its hash. So it is made once, never changed, and shared by every
deployment that wants it.

The command is the one place where foreign code could come to run before it is in a cell, so it builds nothing
(``--no-build``: a source distribution is a program), looks for no dependency, reads no configuration of a
user, and takes no interpreter from elsewhere. Bytecode is made because cells may not write any: without it,
each start of one that imports pandas compiles for seconds. Compiling reads code and does not run it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from strategies.requirements import Lock

FORMAT = 1
"""Counts the ways in which stratd installed the same lock differently."""
UNUSED_FOR = 7 * 86_400.0
"""Seconds after which packages go that no deployment needs: whoever is back by then does not wait."""
MEMORY = 2 * 2**30
"""Bytes of data that an installer, and each of the processes that compile for it, may take."""
MAX_FILES = 100_000
"""Files of one installation; the five heaviest packages together have some 11,000."""
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What an installer finds of the daemon's own environment, in upper or lower case: the way out, and trust."""
_REASON = 500


class Platform(Struct, frozen=True):
    """For what wheels are chosen: ``python`` as 3.11.7, ``abi`` as cpython-311-x86_64-linux-gnu."""

    python: str
    abi: str


class Source(Struct, frozen=True):
    """Where packages come from: the URL of an index, or a folder of wheels; neither: nothing is installed.

    The URL may hold a password: never show it.
    """

    index: str = ""
    wheelhouse: str = ""

    @property
    def shown(self) -> str:
        """The source as it may be printed."""
        url = urlsplit(self.index)
        return f"{url.scheme}://{url.hostname}{url.path}" if self.index else self.wheelhouse


class Bounds(Struct, frozen=True):
    """What one installation may take: seconds, and bytes on disk while it is made."""

    timeout: float = 300.0
    size: int = 2 * 2**30


def key(lock: Lock, platform: Platform) -> str:
    """Return the name of the folder that holds these packages."""
    content = f"{FORMAT}\n{platform.python}\n{platform.abi}\n{lock.text}"
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def objection(lock: Lock, source: Source, uv: str | None) -> str:
    """Return why these packages cannot be installed here, a clause; "" if they can be."""
    if not source.index and not source.wheelhouse:
        return (
            f"it needs {counted(lock)}, and this daemon installs none; where from is said by "
            "[packages] index = URL or wheelhouse = FOLDER"
        )
    if uv is None:
        cure = "pip install 'stratd[packages]', or put uv on the PATH of the daemon"
        return f"it needs {counted(lock)}, and uv, which installs them, is missing: {cure}"
    return ""


def counted(lock: Lock) -> str:
    """Return ``1 package (numpy)`` or ``7 packages (a, b, c, ...)``."""
    names = lock.names
    more = ", ..." if len(names) > 5 else ""
    return f"{len(names)} package{'s' if len(names) > 1 else ''} ({', '.join(names[:5])}{more})"


def command(uv: str, python: str, source: Source, work: Path, site: Path) -> list[str]:
    """Return the command that installs ``work``'s requirements.txt into ``site`` and writes nowhere else.

    An index is named in the environment: a command can be read by every user of the host (ps(1)).
    """
    # As a URL, because uv takes a name with a comma for two.
    house = [] if source.index else ["--offline", "--no-index", "-f", Path(source.wheelhouse).as_uri()]
    return [
        *(uv, "pip", "install", "--no-config", "--color", "never", "--no-progress"),
        *("--requirements", str(work / "requirements.txt"), "--require-hashes", "--no-deps"),
        *("--no-build", "--no-sources", "--compile-bytecode"),
        *("--python", python, "--no-python-downloads", "--target", str(site)),
        # Hard links: what was unpacked into the cache is what is kept, and the cache goes with ``work``.
        *("--cache-dir", str(work / "cache"), "--link-mode", "hardlink", "--system-certs"),
        *house,
    ]


def environment(source: Source, work: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of an installer; ``environ`` is the daemon's."""
    passed = {name: value for name, value in environ.items() if name.upper() in PASSED_ON}
    return {
        **(passed | {"UV_DEFAULT_INDEX": source.index} if source.index else {}),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(work),
        "TMPDIR": str(work),
        # Two cores' worth at most: it is nobody's hurry but the one deployment's.
        "UV_CONCURRENT_DOWNLOADS": "4",
        "UV_CONCURRENT_INSTALLS": "2",
        "UV_KEYRING_PROVIDER": "disabled",
    }


def reason(output: Sequence[str]) -> str:
    """Return in one line why uv failed: its error, and the causes below it."""
    said: list[str] = []
    for line in output:
        word, colon, rest = line.strip().partition(": ")
        if colon and word in ({"cause", "hint"} if said else {"error"}):
            said.append(rest)
    text = ": ".join(said) or next((line.strip() for line in reversed(output) if line.strip()), "")
    return text if len(text) <= _REASON else f"{text[:_REASON]}..."


def hide(text: str, source: Source) -> str:
    """Return ``text`` without what the index may be asked with, should uv have said it."""
    login, at, _ = urlsplit(source.index).netloc.rpartition("@")
    for secret in (login, login.partition(":")[2]) if at else ():
        text = text.replace(secret, "****") if secret else text
    return text


def unused(used: Mapping[str, float], kept: set[str], now: float) -> list[str]:
    """Return the keys that may go: in nobody's plans, and last used long ago (unix seconds)."""
    return sorted(key for key, at in used.items() if key not in kept and now - at > UNUSED_FOR)
