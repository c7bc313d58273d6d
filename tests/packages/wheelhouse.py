"""Wheels made by hand (PEP 427), so that no test needs a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def build_wheel(
    house: Path,
    name: str,
    files: Mapping[str, str | bytes],
    *,
    version: str = "1.0.0",
    tag: str = "py3-none-any",
    members: Mapping[str, zipfile.ZipInfo] | None = None,
) -> Path:
    """Write a wheel with ``files`` (path -> content) into the folder ``house``, its metadata added.

    ``members`` gives entries of the archive a head of their own, where a test wants an odd one.
    """
    info = f"{name}-{version}.dist-info"
    whole = dict(files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = f"{info}/RECORD"
    lines = [
        f"{path},sha256={_digest(_bytes(content))},{len(_bytes(content))}" for path, content in whole.items()
    ]
    whole[record] = "".join(f"{line}\n" for line in [*lines, f"{record},,"])
    house.mkdir(exist_ok=True)
    path = house / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in whole.items():
            # One date for all (that of ``ZipInfo``), so that the same content is the same file.
            head = (members or {}).get(member) or zipfile.ZipInfo(member)
            head.external_attr = head.external_attr or 0o100644 << 16
            archive.writestr(head, _bytes(content), zipfile.ZIP_DEFLATED)
    return path


def pinned(wheel: Path) -> str:
    """Return the line of a lock that names exactly this wheel."""
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
