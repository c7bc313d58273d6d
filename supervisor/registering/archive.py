"""A zip that a stranger made, as files of a strategy: names and sizes are judged before a byte is read.

Only what cannot surprise is taken: plain files with plain relative names, stored or deflated. What an
archive says of its sizes is not believed, but it bounds what is read. An archive within an archive is a
file like any other: nobody opens it. Format: PKWARE APPNOTE 6.3.10, 4.3.

Rules of this file. Bytes in, bytes out: no file of this host is touched, so there is nothing that a name
could escape to. It costs time in the size of the archive: the daemon calls it on a worker thread.
"""

from __future__ import annotations

import io
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from strategies.errors import Problem

MAX_PACKED: Final = 16 * 2**20
"""Bytes of an archive. A folder that is larger is registered by its path (docs/registering.md)."""
MAX_UNPACKED: Final = 64 * 2**20
"""Bytes of all its files together."""
MAX_FILES: Final = 1_000
MAX_DEPTH: Final = 16
"""Folders within folders."""
MAX_NAME: Final = 240
"""Bytes of one path: what every file system takes."""
MAX_RATIO: Final = 200
"""How much larger a file may be than what it is packed into. Code is some 4 times, zeros are 1,000 times."""
FREE_OF_RATIO: Final = 2**20
"""Bytes up to which a file may be as much larger as it likes."""
MAX_PROBLEMS: Final = 20
_DIRECTORY_BYTES: Final = MAX_FILES * (46 + 2 * MAX_NAME)
"""Bytes of the central directory: 46 and the name an entry, and as much again for what else it may carry."""
_END, _END64_LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
_TAKEN: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED: Final = 0x1
_IGNORED: Final = {
    "__pycache__",
    "__MACOSX",
    ".git",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".DS_Store",
}
"""What tools leave behind: no part of a strategy (``strategies.content`` ignores the same)."""
Files = dict[str, bytes]
"""Content by path, with ``/`` between folders."""


class ArchiveRefused(Exception):
    """The archive is not taken; ``problems`` say what is wrong with which entry."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def unpack(data: bytes) -> Files:
    """Return the files of the zip ``data``, without a folder that is around all of them.

    Raises ``ArchiveRefused``.
    """
    if len(data) > MAX_PACKED:
        raise _refused(f"is {len(data):,} bytes, at most {MAX_PACKED:,} are taken")
    try:
        with zipfile.ZipFile(io.BytesIO(_trimmed(data))) as archive:
            entries = archive.infolist()
            if problems := judge(entries):
                raise ArchiveRefused(problems)
            wanted = [one for one in entries if not _is_folder(one) and not _ignored(one.filename)]
            files = {one.filename: _read(archive, one) for one in wanted}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        NotImplementedError,
        OverflowError,
    ) as error:
        raise _refused(f"is no zip that can be read: {error}") from None
    if not files:
        raise _refused("holds no file")
    return _without_folder(files)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return ``files`` as a zip; the same files are the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # 1980-01-01, so that no clock is in it
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return target.getvalue()


def restored(data: bytes) -> Files:
    """Return the files of which ``pack`` made ``data``. Raises ``ArchiveRefused`` if it is not that."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise _refused(f"is damaged: {error}") from None


def _trimmed(data: bytes) -> bytes:
    """Return ``data`` up to its end record, without a comment: then there is one place alone to begin at.

    The directory is bounded here, before ``zipfile`` makes an object of each entry.
    """
    at = data.rfind(_END, max(0, len(data) - 22 - 2**16))
    if at < 0 or len(data) < at + 22:
        raise _refused("is no zip: it has no end record")
    if data[max(0, at - 20) : at].startswith(_END64_LOCATOR):
        raise _refused("is a ZIP64 archive, which nothing of this size has to be")
    count, size = (int.from_bytes(data[at + low : at + high], "little") for low, high in ((10, 12), (12, 16)))
    if count > MAX_FILES or size > _DIRECTORY_BYTES:
        raise _refused(f"holds {count:,} entries, at most {MAX_FILES:,} are taken")
    return data[: at + 20] + b"\0\0"


def judge(entries: Sequence[zipfile.ZipInfo]) -> list[Problem]:
    """Return everything that is wrong with an archive's directory, the first ``MAX_PROBLEMS``. Pure."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    folders: set[str] = set()
    said: set[str] = set()  # those that have an entry of their own
    total = count = 0
    for entry in entries:
        # As it stands in the archive: ``filename`` ends at a null byte.
        name = entry.orig_filename.removesuffix("/")
        count, total = count + 1, total + entry.file_size
        if why := _bad_name(name) or _bad_kind(entry) or _bomb(entry):
            problems.append(Problem(_shown(name), why))
            continue
        same = unicodedata.normalize("NFC", name).casefold()
        if same in seen:
            problems.append(Problem(_shown(name), f"stands twice in the archive (as {_shown(seen[same])})"))
        seen[same] = name
        said.update([same] if _is_folder(entry) else ())
        folders.update(map(str, PurePosixPath(same).parents))
        if len(problems) >= MAX_PROBLEMS:
            return problems
    both = sorted(folders.intersection(seen) - said)
    problems += [Problem(_shown(seen[same]), "is a file and a folder") for same in both]
    if count > MAX_FILES:
        problems.append(Problem("", f"holds {count:,} entries, at most {MAX_FILES:,} are taken"))
    if total > MAX_UNPACKED:
        problems.append(Problem("", f"unpacks to {total:,} bytes, at most {MAX_UNPACKED:,} are taken"))
    return problems[:MAX_PROBLEMS]


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    # Not ``is_dir``, which fails of a name that is empty.
    return entry.orig_filename.endswith("/")


def _bad_name(name: str) -> str:
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME:
        return f"a path has 1 to {MAX_NAME} bytes"
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "is an absolute path"
    if "\\" in name or any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name):
        return "has a backslash or a control character in its name"
    if any(part in {"", ".", ".."} for part in parts):
        return "leaves the archive, or names a folder by nothing, . or .."
    return f"lies in more than {MAX_DEPTH} folders" if len(parts) > MAX_DEPTH + 1 else ""


def _bad_kind(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link" if kind == stat.S_IFLNK else "is neither a file nor a folder"
    if (kind == stat.S_IFDIR) != _is_folder(entry) and kind:
        return "is a file and a folder"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return "" if entry.compress_type in _TAKEN else "is packed by another method than deflate"


def _bomb(entry: zipfile.ZipInfo) -> str:
    if _is_folder(entry):
        return "is a folder with content" if entry.file_size else ""
    if entry.file_size > MAX_UNPACKED:
        return f"unpacks to {entry.file_size:,} bytes, at most {MAX_UNPACKED:,} are taken"
    swollen = entry.file_size > FREE_OF_RATIO and entry.file_size > MAX_RATIO * entry.compress_size
    return f"unpacks to more than {MAX_RATIO} times its size" if swollen else ""


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        # One more than it said: what is longer fails its checksum, and no more than that is in memory.
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise zipfile.BadZipFile(f"{_shown(entry.filename)} is not as long as it says")
    return content


def _ignored(name: str) -> bool:
    return bool(_IGNORED.intersection(name.split("/"))) or name.endswith((".pyc", ".pyo"))


def _without_folder(files: Files) -> Files:
    """Take off the folder that everything is in: what most tools put around a folder that they pack."""
    tops = {name.partition("/")[0] for name in files}
    if len(tops) > 1 or any("/" not in name for name in files):
        return files
    return {name.partition("/")[2]: content for name, content in files.items()}


def _shown(name: str) -> str:
    return name[:80].encode("unicode_escape").decode()


def _refused(why: str) -> ArchiveRefused:
    return ArchiveRefused([Problem("archive", why)])
