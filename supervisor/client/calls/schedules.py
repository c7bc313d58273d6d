"""The schedule of a deployment: when it is to run by the clock on the wall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema.schedules import ScheduleView


def schedule(deployment_id: str) -> Call[ScheduleView]:
    """When a deployment is to run by the clock, and how it stands to that now."""
    return get(f"deployments/{segment(deployment_id)}/schedule")


def set_schedule(
    deployment_id: str, schedule: Mapping[str, Any], *, if_match: str | None = None
) -> Call[ScheduleView]:
    """Give a deployment a schedule, whole: ``zone``, ``windows``, ``calendar``, ``outside``."""
    return send("PUT", f"deployments/{segment(deployment_id)}/schedule", schedule, if_match=if_match)


def clear_schedule(deployment_id: str, *, if_match: str | None = None) -> Call[ScheduleView]:
    """Take the schedule of a deployment away."""
    return send("DELETE", f"deployments/{segment(deployment_id)}/schedule", if_match=if_match)
