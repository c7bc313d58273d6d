"""An operator's word on a signal that waits for approval."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supervisor.schema.base import Request, View
from supervisor.schema.records import SignalView
from supervisor.schema.trading import OrderRow


class ApprovalRequest(Request):
    """``approve`` and ``reject``: why, for the record."""

    reason: Annotated[str, Field(max_length=500)] = ""


class ApprovalResult(View):
    """What became of a signal. Not ``changed``: the same was said before.

    ``signal`` is its last verdict: one that was approved is judged again, and may be ``rejected`` by a rule.
    """

    changed: bool
    signal: SignalView
    order: OrderRow | None = None
