"""The file that says what is traded, for whom, on which terms: replaced as a whole, known by its digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec

from supervisor.trading_control import TradingSpec

NAME: Final = "trading.setup"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(TradingSpec).decode


def write(file: Path, spec: TradingSpec) -> str:
    """Bring ``file`` up to date, and return its digest. Raises ``OSError``, and then it is as it was."""
    content = _encode(spec)
    digest = hashlib.sha256(content).hexdigest()
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() == digest:
            return digest
    except OSError:
        pass  # it is not there, or cannot be read: written anew
    new = file.with_suffix(".new")
    with new.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)  # whoever reads it finds the old one or the new one (rename(2))
    return digest


def read(file: Path) -> tuple[TradingSpec, str]:
    """Return what ``write`` wrote, and its digest. Raises ``OSError``, or ``msgspec.DecodeError``."""
    content = file.read_bytes()
    return _decode(content), hashlib.sha256(content).hexdigest()
