"""What the API asks of signals that wait, in a dict: the part of ``FakeDaemon`` for ``ApprovalPort``."""

from __future__ import annotations

from supervisor.errors import Failed, NotFound, StratdError
from supervisor.schema import SignalView
from supervisor.schema.approvals import ApprovalResult


class FakeApprovals:
    calls: list[tuple[object, ...]]
    fail: StratdError | Exception | None

    def __init__(self) -> None:
        self.waiting: dict[str, SignalView] = {}
        self.answered: dict[str, tuple[bool, SignalView]] = {}

    async def pending_signals(self, deployment_id: str | None, account: str | None) -> list[SignalView]:
        if self.fail:
            raise self.fail
        return [
            one
            for one in self.waiting.values()
            if deployment_id in (None, one.deployment_id) and account in (None, one.account_id)
        ]

    async def approve_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        return self._answer(signal_id, approve=True, reason=reason, by=by)

    async def reject_signal(self, signal_id: str, *, reason: str, by: str) -> ApprovalResult:
        return self._answer(signal_id, approve=False, reason=reason, by=by)

    def _answer(self, signal_id: str, *, approve: bool, reason: str, by: str) -> ApprovalResult:
        if self.fail:
            raise self.fail
        self.calls.append(("approve" if approve else "reject", signal_id, reason, by))
        before = self.answered.get(signal_id)
        if before is not None:
            if before[0] != approve:
                raise Failed(f"signal {signal_id} waits no longer: {before[1].verdict}")
            return ApprovalResult(changed=False, signal=before[1])
        if signal_id not in self.waiting:
            raise NotFound("signal", signal_id)
        decided = self.waiting.pop(signal_id).model_copy(
            update={
                "verdict": "accepted" if approve else "rejected",
                "rule": "" if approve else "approval_denied",
                "by": by,
                "remark": reason or None,
                "expires_at": None,
            }
        )
        self.answered[signal_id] = approve, decided
        return ApprovalResult(changed=True, signal=decided)
