"""``account``, ``positions``, ``orders``, ``trades``: whose money it is, what is held, and what bars it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.errors import USAGE, CommandError
from cli.options import Json, Last, Reason
from cli.tables import clean
from cli.talk import pairs, print_json
from supervisor.client.calls import money as calls

Name = Annotated[str, typer.Argument(metavar="A", help="The account.", show_default=False)]
Owner = Annotated[str | None, typer.Argument(metavar="[ID]", help="One deployment.", show_default=False)]
OfAccount = Annotated[str | None, typer.Option("--account", metavar="A", help="All of this account.")]
Ended = Annotated[bool, typer.Option("--all", help="Those that have ended, too.")]
Tighten = Annotated[
    list[str] | None, typer.Option("--set", metavar="K=V", help="Tighten this limit; may be said again.")
]
TakeBack = Annotated[
    list[str] | None, typer.Option("--unset", metavar="K", help="As the configuration has it again.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    account = typer.Typer(rich_markup_mode=None, help="Accounts, and what bars them.", no_args_is_help=True)
    account.command(name="list")(accounts)
    account.command()(show)
    account.command()(pause)
    account.command()(resume)
    account.command()(kill)
    account.command()(rearm)
    account.command()(limits)
    app.add_typer(account, name="account")
    app.command(name="rearm")(rearm_deployment)
    app.command()(positions)
    app.command()(orders)
    app.command()(trades)


def accounts(as_json: Json = False) -> None:
    """Every account: equity, profit of the day, what is held, and what bars it."""
    body = Client().call(calls.accounts)
    if as_json:
        print_json(body)
        return
    from cli import render_money, tables
    from supervisor.schema import AccountView

    tables.show(render_money.accounts([AccountView.model_validate(one) for one in json.loads(body)]))


def show(name: Name, as_json: Json = False) -> None:
    """Everything about one account."""
    body = Client().call(calls.account, name)
    if as_json:
        print_json(body)
        return
    from cli import render_money
    from supervisor.schema import AccountView

    print(render_money.account(AccountView.model_validate_json(body)))


def pause(name: Name, reason: Reason = "") -> None:
    """Let no signal of an account through, until it is rearmed. What is held stays guarded."""
    say_latch(Client().call(calls.pause_account, name, reason=reason), "paused")


def resume(name: Name, reason: Reason = "") -> None:
    """Take back a pause of an account, and nothing stronger: a kill is taken back by rearm."""
    say_latch(Client().call(calls.resume_account, name, reason=reason), "resumed")


def kill(name: Name, reason: Reason = "") -> None:
    """Close everything that an account holds and let no signal through, until it is rearmed."""
    say_latch(Client().call(calls.kill_account, name, reason=reason), "locked; what it holds is being closed")


def rearm(name: Name, reason: Reason = "") -> None:
    """Take back what bars an account; losses are counted from here."""
    say_latch(Client().call(calls.rearm_account, name, reason=reason), "rearmed")


def limits(
    name: Name,
    tighten: Tighten = None,
    take_back: TakeBack = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """What binds an account, and whose word each limit is; --set tightens one at once."""
    wanted = numbers(tighten) | dict.fromkeys(take_back or [])
    client = Client()
    body = (
        client.call(calls.tighten_account, name, wanted, reason=reason)
        if wanted
        else client.call(calls.account_limits, name)
    )
    if as_json:
        print_json(body)
        return
    from cli import render_money, tables
    from supervisor.schema import LimitsView

    tables.show(render_money.limits(LimitsView.model_validate_json(body)))


def numbers(options: list[str] | None) -> dict[str, float | None]:
    """Return the numbers that ``K=V`` options give by name."""
    found: dict[str, float | None] = {}
    for name, value in pairs(options, "--set").items():
        try:
            found[name] = float(value)
        except ValueError:
            raise CommandError(USAGE, f"--set {name} = {value!r}: must be a number") from None
    return found


def rearm_deployment(
    deployment_id: Annotated[str, typer.Argument(metavar="ID", help="The deployment.", show_default=False)],
    reason: Reason = "",
) -> None:
    """Take back what a limit of its own bars a deployment by; losses are counted from here."""
    say_latch(Client().call(calls.rearm, deployment_id, reason=reason), "rearmed")


def say_latch(body: bytes, past: str) -> None:
    """Say what a verb on a latch did; ``past`` is the word for it."""
    # Plain JSON, as with every short verb: cli/talk.py says why.
    answer = json.loads(body)
    latch: dict[str, Any] | None = answer["latch"]
    if answer["changed"]:
        print(f"{answer['name']}: {past}")
    elif latch is None:
        print(f"{answer['name']}: nothing bars it")
    else:
        why = clean(latch["reason"])
        print(f"{answer['name']}: already barred ({latch['kind']}, by {latch['rule']}: {why})")


def positions(deployment_id: Owner = None, account: OfAccount = None, as_json: Json = False) -> None:
    """What is held, at what cost, what it has earned, and which exits guard it."""
    body = Client().call(calls.positions, deployment_id=deployment_id, account=account)
    if as_json:
        print_json(body)
        return
    from cli import render_money, tables
    from supervisor.schema import PositionRow

    tables.show(render_money.positions([PositionRow.model_validate(one) for one in json.loads(body)]))


def orders(
    deployment_id: Owner = None,
    account: OfAccount = None,
    ended: Ended = False,
    lines: Last = 1000,
    as_json: Json = False,
) -> None:
    """The orders that wait; with --all those that have ended too, the newest last."""
    body = Client().call(
        calls.orders, deployment_id=deployment_id, account=account, ended=ended or None, n=lines
    )
    if as_json:
        print_json(body)
        return
    from cli import render_money, tables
    from supervisor.schema import OrderRow

    tables.show(render_money.orders([OrderRow.model_validate(one) for one in json.loads(body)]))


def trades(
    deployment_id: Owner = None, account: OfAccount = None, lines: Last = 100, as_json: Json = False
) -> None:
    """Executions, the newest last, with the profit of the round trips that they ended."""
    body = Client().call(calls.trades, deployment_id=deployment_id, account=account, n=lines)
    if as_json:
        print_json(body)
        return
    from cli import render_money, tables
    from supervisor.schema import TradeRow

    tables.show(render_money.trades([TradeRow.model_validate(one) for one in json.loads(body)]))
