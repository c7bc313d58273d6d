"""Words beside a registered version."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from supervisor.schema.base import Request
from supervisor.schema.catalogue import StrategyType

_NO_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""Control characters and ends of a line."""
_LINE = rf"^[^{_NO_LINE}]*[^\s{_NO_LINE}][^{_NO_LINE}]*$"


def _one_line(title: str) -> str:
    if len(title) > 64 or re.fullmatch(_LINE, title) is None:
        raise ValueError("must be one line of text, not blank, of at most 64 characters")
    return title


Title = Annotated[
    str,
    AfterValidator(_one_line),
    Field(json_schema_extra={"minLength": 1, "maxLength": 64, "pattern": _LINE}),
]
"""As ``strategies.manifest`` takes it."""
CONTENT: Final = frozenset(
    {"code", "pickled", "python", "source", "name", "version", "instruments", "timeframe", "parameters"}
)
"""What a version is made of: its hash is over all of it."""


class LabelPatch(Request):
    """``PATCH /strategies/ID``: other words for one version, null for those that its author gave it.

    What is not named stays (RFC 7396). What a version is made of never changes: for another default or other
    code, ``PUT /strategies/ID`` registers a new version.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Night shift", "description": "Buys a new high."}]}
    )

    title: Title | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    type: StrategyType | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_content(cls, given: Any) -> Any:
        if isinstance(given, dict) and (found := sorted(CONTENT & given.keys())):
            raise ValueError(
                f"{', '.join(found)} cannot be changed, only title, description and type: a version keeps "
                "its content; PUT registers a new one"
            )
        return given

    @property
    def words(self) -> dict[str, str | None]:
        """What was said, None for what is taken back."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}
