"""Market data, recordings and independent results that lie beside the repository, in ``../shared``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def needs_shared(*parts: str) -> pytest.MarkDecorator:
    """Mark a test that reads ``../shared/PARTS``: skipped where it is absent, but not in CI.

    In CI the folder must be there, so nothing is skipped and the test fails at its first read.
    """
    # Here, since the attacks are also run where stratd is installed and pytest is not (tests/host).
    import pytest

    path = SHARED.joinpath(*parts)
    absent = not path.exists() and os.environ.get("CI") != "true"
    return pytest.mark.skipif(absent, reason=f"needs {Path('..', 'shared', *parts)} beside the repository")
