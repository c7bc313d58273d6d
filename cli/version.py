"""The version of the installed distribution."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return it; ``0+unknown`` where stratd runs from a folder that was never installed."""
    try:
        return installed("stratd")
    except PackageNotFoundError:
        return "0+unknown"
