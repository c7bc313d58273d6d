"""The settings that a daemon started now would go by, for commands that need no daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import USAGE, CommandError

if TYPE_CHECKING:
    from supervisor.config import Settings


def settings_of(config: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of ``config`` and ``environ``. Raises ``CommandError`` with every mistake."""
    # Here, as everywhere in this package: most commands need none, and they take longer to load than to use.
    from supervisor.config import load
    from supervisor.errors import SettingsError

    try:
        return load(environ, file=config)
    except SettingsError as error:
        raise CommandError(USAGE, *error.errors) from None
