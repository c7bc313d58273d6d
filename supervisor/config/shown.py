"""Settings for people to read: every secret as stars, whether it stands by itself or in a table. Pure."""

from __future__ import annotations

from typing import Any, Final

from pydantic import SecretStr

from supervisor.config.settings import Settings

STARS: Final = "**********"


def shown(settings: Settings) -> dict[str, Any]:
    """Return ``settings`` as plain JSON values. URLs are secrets too, since they may hold a password.

    What a route takes as ``options`` is of no known shape: texts in it could be anything, and are stars.
    """
    plain: dict[str, Any] = settings.model_dump(mode="json")
    for name, route in settings.routes.items():
        plain["routes"][name]["options"] = {key: _veiled(value) for key, value in route.options.items()}
    return plain


def _veiled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _veiled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_veiled(inner) for inner in value]
    return STARS if isinstance(value, str | SecretStr) else value
