"""The database of a service, for root who works on its state directory: there no unit gives secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

CREDSTORE: Final = Path("/etc/credstore")
"""Where systemd looks for what ``LoadCredential=`` of a unit names (systemd.exec(5))."""
STATES: Final = Path("/var/lib")
"""Where ``StateDirectory=`` lies: ``stratd`` of stratd.service, ``stratd-fx`` of stratd@fx.service."""


def database_of(
    state_dir: Path, environ: Mapping[str, str], credstore: Path = CREDSTORE, states: Path = STATES
) -> dict[str, str]:
    """Return {"DATABASE_URL": URL} that the unit of a state directory is given, {} if it is given none.

    And {} for a directory of no unit, and where ``environ`` says which database, or has credentials itself.
    """
    said = ("DATABASE_URL", "STRATD_DATABASE_URL", "CREDENTIALS_DIRECTORY")
    if state_dir.parent != states or any(environ.get(name) for name in said):
        return {}
    try:
        url = (credstore / f"{state_dir.name}.database_url").read_text("utf-8").strip()
    except (
        OSError,
        UnicodeDecodeError,
    ):  # none, or not for this user
        return {}
    return {"DATABASE_URL": url} if url else {}
