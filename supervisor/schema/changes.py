"""What one deployment is asked to become: verbs with a reason, other settings, and real money."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, JsonValue, RootModel, model_validator

from supervisor.schema.base import Request, View, text_only
from supervisor.schema.deployments import DeploymentRow
from supervisor.schema.requests import AccountId, Cpu, Memory


class VerbRequest(Request):
    """``POST /deployments/ID/VERB``: why, for the record, and how.

    ``now`` skips the strategy's own goodbye; ``wait`` answers when it is done, else at once.
    """

    reason: Annotated[str, Field(max_length=500)] = ""
    now: bool = False
    wait: bool = True


class NamedValues(RootModel[Annotated[dict[str, JsonValue], Field(min_length=1, max_length=200)]]):
    """Some parameters or risk limits by name; what is not named stays. A risk limit of null is none."""

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, given: Any) -> Any:
        return text_only(given)


class QuotaPatch(Request):
    """What a deployment may use from its next start on: ``memory`` bytes or "256M", ``cpu`` of one core."""

    memory: Memory | None = None
    cpu: Cpu | None = None

    @model_validator(mode="after")
    def _something(self) -> QuotaPatch:
        if self.memory is None and self.cpu is None:
            raise ValueError("must give memory, or cpu, or both")
        return self


class SettingsPatch(Request):
    """Settings that a deployment is to have, those that are None or not named as they were."""

    parameters: dict[str, JsonValue] = {}
    risk: dict[str, JsonValue] = {}
    memory: Memory | None = None
    cpu: Cpu | None = None


class ChangeResult(View):
    """What became of other settings: ``changed`` False if they were so already."""

    changed: bool
    deployment: DeploymentRow


class PromoteRequest(Request):
    """Paper becomes live. Without ``confirmation`` nothing changes: the answer says what would.

    ``account`` is the account of real money, if it is not the one that the deployment has.
    """

    account: AccountId | None = None
    confirmation: Annotated[str, Field(max_length=200)] | None = None


class PromoteResult(View):
    """``promoted`` False: give ``confirmation`` back within ``expires_in_s`` seconds, and it is done.

    It holds for this deployment with the settings that it has now, and for ``account`` and ``route`` alone.
    """

    promoted: bool
    account: str
    route: str
    confirmation: str | None = None
    expires_in_s: float | None = None
    deployment: DeploymentRow
