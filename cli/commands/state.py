"""``state show|checkpoints|save|restore|clear``: what is saved of a strategy, what its next start takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.client import Client
from cli.errors import FAILED, NOT_FOUND, CommandError
from cli.options import Id, Json
from cli.talk import print_json
from supervisor.client.calls import questions
from supervisor.client.calls import states as calls

if TYPE_CHECKING:
    from supervisor.schema import CheckpointView

Seq = Annotated[
    int | None,
    typer.Argument(
        metavar="[SEQ]", min=1, max=2**63 - 1, help="As `checkpoints` lists it.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    state = typer.Typer(rich_markup_mode=None, help="What is saved of a strategy.", no_args_is_help=True)
    state.command()(show)
    state.command()(checkpoints)
    state.command()(save)
    state.command()(restore)
    state.command()(clear)
    app.add_typer(state, name="state")


def show(deployment_id: Id, seq: Seq = None, as_json: Json = False) -> None:
    """What is in a saved state: the newest, or that of checkpoint SEQ. Decoded here, not in the daemon."""
    from cli.render_state import checkpoint, plain, tree
    from strategies import state
    from strategies.errors import StateCorrupt

    client = Client()
    chosen = _chosen(_kept(client, deployment_id), deployment_id, seq)
    packed = client.call(calls.saved_state, deployment_id, seq=chosen.seq)
    try:
        content = state.unpack(packed, len(packed))
    except StateCorrupt as error:
        raise CommandError(FAILED, f"checkpoint {chosen.seq} of {deployment_id}: {error}") from None
    if as_json:
        print(json.dumps({**chosen.model_dump(), "state": plain(content)}, allow_nan=False))
        return
    print(checkpoint(chosen))
    print()
    for line in tree(content):
        print(line)


def checkpoints(deployment_id: Id, as_json: Json = False) -> None:
    """What is kept, the newest first: age, size and version, and what was set aside and why."""
    client = Client()
    if as_json:
        print_json(client.call(calls.checkpoints, deployment_id))
        return
    from cli import render_state, tables

    tables.show(render_state.checkpoints(_kept(client, deployment_id)))


def save(deployment_id: Id, as_json: Json = False) -> None:
    """Save the state of a strategy that runs, now; done once it is in the journal."""
    answer = Client().call(questions.save_state, deployment_id)
    if as_json:
        print_json(answer)
        return
    saved = json.loads(answer)
    print(f"{deployment_id}: checkpoint {saved['seq']}, {saved['size_bytes']:,} bytes")


def restore(deployment_id: Id, seq: Seq = None) -> None:
    """Let the next start take checkpoint SEQ, or the one before the newest. Of a stopped deployment."""
    client = Client()
    if seq is None:
        good = [one.seq for one in _kept(client, deployment_id) if not one.quarantined]
        if len(good) < 2:
            what = "one good checkpoint" if good else "no good checkpoint"
            raise CommandError(NOT_FOUND, f"{deployment_id} has {what}, and none before it")
        seq = good[1]
    from supervisor.schema import Outcome

    answer = client.call(calls.restore_state, deployment_id, seq)
    changed = Outcome.model_validate_json(answer).changed
    print(f"{deployment_id}: {'' if changed else 'already '}starts from checkpoint {seq}")


def clear(deployment_id: Id) -> None:
    """Forget every saved state of a stopped deployment: its next start begins without."""
    from supervisor.schema import Outcome

    answer = Client().call(calls.clear_state, deployment_id)
    changed = Outcome.model_validate_json(answer).changed
    print(f"{deployment_id}: {'' if changed else 'already '}without a saved state")


def _kept(client: Client, deployment_id: str) -> list[CheckpointView]:
    from supervisor.schema import CheckpointView

    body = client.call(calls.checkpoints, deployment_id)
    return [CheckpointView.model_validate(one) for one in json.loads(body)]


def _chosen(kept: list[CheckpointView], deployment_id: str, seq: int | None) -> CheckpointView:
    for one in kept:
        if one.seq == seq or (seq is None and one.newest):
            return one
    if seq is None:
        aside = f" ({len(kept)} set aside: see 'stratd state checkpoints {deployment_id}')" if kept else ""
        raise CommandError(NOT_FOUND, f"{deployment_id} has no good checkpoint{aside}")
    known = ", ".join(str(one.seq) for one in kept) or "none"
    raise CommandError(NOT_FOUND, f"{deployment_id} has no checkpoint {seq} (kept: {known})")
