"""How one deployment is changed through the API: other settings, real money, and what bars it."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Literal

from supervisor import promotion, views
from supervisor.actor import Actor
from supervisor.daemon import Daemon
from supervisor.errors import Failed
from supervisor.schema import (
    ChangeResult,
    DeploymentRow,
    LatchResult,
    PromoteRequest,
    PromoteResult,
    SettingsPatch,
    StartRequest,
)
from supervisor.selection import find
from supervisor.store.tables import Deployment
from supervisor.views import latch_view


class Changes:
    """The half of ``api.deployment_port.DeploymentPort`` that changes something; a part of ``Port``."""

    _daemon: Daemon
    _secret: bytes
    """Made with the process: confirmations of another daemon are worth nothing here."""

    async def change(self, deployment_id: str, patch: SettingsPatch) -> ChangeResult:
        """Give a deployment other settings; one that runs, only parameters that may change while it does."""
        request = StartRequest(id=deployment_id, **patch.model_dump(exclude_unset=True))
        actor, changed = await self._daemon.verbs.change(request)
        return ChangeResult(changed=changed, deployment=row_of(self._daemon, actor))

    async def promote(self, deployment_id: str, request: PromoteRequest, *, by: str) -> PromoteResult:
        """Say what it would mean to go from paper to live, or, with the confirmation from there, do it."""
        daemon = self._daemon
        known = find(daemon.actors, deployment_id).deployment
        account = request.account or known.account
        if (known.mode, known.account) == ("live", account):
            raise Failed(f"{known.id} is live for account {account} already")
        wanted = StartRequest(id=known.id, mode="live", account=account, confirm_live=True)
        if request.confirmation is None:
            actor = await daemon.verbs.consider(wanted)
            given = promotion.confirmation(self._secret, actor.deployment, account, time.monotonic())
            return self._promoted(actor, account, given)
        given = request.confirmation

        def confirmed(present: Deployment) -> None:
            promotion.check(given, self._secret, present, account, time.monotonic())

        actor, _ = await daemon.verbs.change(wanted, confirmed)
        daemon.events.note("promoted", f"live for account {account}, confirmed by {by}", actor.id)
        return self._promoted(actor, account, None)

    def _promoted(self, actor: Actor, account: str, confirmation: str | None) -> PromoteResult:
        terms = self._daemon.settings.accounts.get(account)
        return PromoteResult(
            promoted=confirmation is None,
            account=account,
            route=terms.route if terms else "",
            confirmation=confirmation,
            expires_in_s=None if confirmation is None else promotion.GOOD_FOR,
            deployment=row_of(self._daemon, actor),
        )

    async def latch(
        self, deployment_id: str, kind: Literal["flatten", "lock"], *, reason: str, by: str
    ) -> LatchResult:
        """Close what a deployment holds and bar it until it is rearmed."""
        name = find(self._daemon.actors, deployment_id).id
        answer = await self._daemon.accounts.set("deployment", name, kind, reason, by)
        return LatchResult(
            scope="deployment", name=name, changed=answer.changed, latch=latch_view(answer.latch)
        )


def new_secret() -> bytes:
    """Return a key for confirmations."""
    return secrets.token_bytes(32)


def row_of(daemon: Daemon, actor: Actor) -> DeploymentRow:
    """Return one line of ``ps``, as it is now."""
    return views.row(
        actor,
        daemon.news.rows.get(actor.id),
        daemon.checkpoints.known.get(actor.id),
        now=time.time_ns(),
        monotonic=asyncio.get_running_loop().time(),
    )
