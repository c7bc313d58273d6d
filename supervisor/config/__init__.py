"""Settings: TOML, variables and credentials in, one frozen object or every mistake at once out."""

from __future__ import annotations

from supervisor.config.sections import Feed, Quota, Restart
from supervisor.config.settings import Settings, load

__all__ = ["Feed", "Quota", "Restart", "Settings", "load"]
