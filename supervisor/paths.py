"""Where things are if nobody says otherwise. Standard library only: the CLI needs it before anything else."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping
from pathlib import Path

MOST_BYTES = 2**20
"""Of a configuration file; one for a thousand feeds is a tenth of this."""


def config_text(path: Path) -> str:
    """Read a configuration file. ``OSError``, ``UnicodeDecodeError``, ``OverflowError`` for one too large."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)  # a device may have no end
    if len(data) > MOST_BYTES:
        raise OverflowError(f"is larger than {MOST_BYTES // 2**20} MiB, which no settings are")
    return data.decode("utf-8")


def config_path(environ: Mapping[str, str], uid: int, given: Path | None = None) -> Path:
    """Where the configuration file is: ``given`` (``--config``), STRATD_CONFIG, or the default."""
    named = given or (Path(environ["STRATD_CONFIG"]) if environ.get("STRATD_CONFIG") else None)
    return named or default_config(environ, uid)


def default_config(environ: Mapping[str, str], uid: int) -> Path:
    """Where the file is if STRATD_CONFIG does not say."""
    if uid == 0:
        return Path("/etc/stratd/stratd.toml")
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "stratd" / "stratd.toml"


def default_state_dir(environ: Mapping[str, str], uid: int) -> Path:
    """Where state is kept if STRATD_STATE_DIR does not say."""
    return (
        Path("/var/lib/stratd") if uid == 0 else _base(environ, "XDG_STATE_HOME", ".local/state") / "stratd"
    )


def default_runtime_dir(environ: Mapping[str, str], uid: int) -> Path:
    """Where sockets are if STRATD_RUNTIME_DIR does not say.

    Without XDG_RUNTIME_DIR (no login session) a private folder under /tmp stands in, as the XDG base
    directory specification asks; the daemon makes it 0700 and refuses one that is not its own.
    """
    if uid == 0:
        return Path("/run/stratd")
    base = environ.get("XDG_RUNTIME_DIR", "")
    return Path(base) / "stratd" if base.startswith("/") else stand_in(uid)


def stand_in(uid: int) -> Path:
    """Where sockets are of a user without a login session: anybody may have made it, so look whose it is."""
    return Path(f"/tmp/stratd-{uid}")  # noqa: S108  (as the XDG base directory specification asks)


def home(environ: Mapping[str, str]) -> Path:
    """Return this process's user's home; none there is for one whom nobody knows (``docker run --user``)."""
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:
        return Path(
            "/nonexistent"
        )  # as the Debian policy has it (9.2.3): what is to be made there is refused


def _base(environ: Mapping[str, str], name: str, under_home: str) -> Path:
    # "All paths set in these environment variables must be absolute; ... otherwise ignore" (XDG 0.8).
    given = environ.get(name, "")
    return Path(given) if given.startswith("/") else home(environ) / under_home


def api_socket(environ: Mapping[str, str], uid: int) -> Path:
    """Where the daemon's socket is, for a client: as the daemon finds it, without reading all settings.

    A configuration file that this user may not read, or that is wrong, is the daemon's business.
    """
    runtime_dir = environ.get("STRATD_RUNTIME_DIR")
    if not runtime_dir:
        with contextlib.suppress(OSError, ValueError, OverflowError):
            runtime_dir = tomllib.loads(config_text(config_path(environ, uid))).get("runtime_dir")
    named = Path(runtime_dir) if isinstance(runtime_dir, str) and runtime_dir else None
    return (named or default_runtime_dir(environ, uid)) / "api.sock"
