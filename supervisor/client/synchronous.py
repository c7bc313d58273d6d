"""The client that waits for each answer: a method a route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from supervisor.client.call import Call
from supervisor.client.calls import (
    approvals,
    daemon,
    data,
    money,
    questions,
    records,
    registering,
    running,
    schedules,
    states,
    verbs,
)
from supervisor.client.calls import catalogue as code
from supervisor.client.calls import keys as keyring
from supervisor.client.calls import notifications as telling
from supervisor.client.calls import strategies as trading
from supervisor.client.calls import webhooks as hooks
from supervisor.client.decoding import decoded
from supervisor.client.methods import described
from supervisor.client.waiting import Asking

P = ParamSpec("P")
T = TypeVar("T")


def _asks(build: Callable[P, Call[T]]) -> Callable[Concatenate[Asking, P], T]:
    """Return the method that carries out what ``build`` describes."""

    def method(self: Asking, /, *args: P.args, **kwargs: P.kwargs) -> T:
        answer: T = decoded(build, self.ask(build(*args, **kwargs)))
        return answer

    return described(method, build)


class Client(Asking):
    """The daemon: one method a route, each of which returns models of ``supervisor.schema``."""

    health = _asks(daemon.health)
    status = _asks(daemon.status)
    feeds = _asks(daemon.feeds)
    version = _asks(daemon.version)
    system = _asks(daemon.system)
    config = _asks(daemon.config)
    pause_all = _asks(daemon.pause_all)
    resume_all = _asks(daemon.resume_all)
    drain = _asks(daemon.drain)
    reload = _asks(daemon.reload)

    deployments = _asks(running.deployments)
    deployment = _asks(running.deployment)
    start = _asks(running.start)
    act = _asks(running.act)
    stop = _asks(verbs.stop)
    pause = _asks(verbs.pause)
    resume = _asks(verbs.resume)
    restart = _asks(verbs.restart)
    reset_failed = _asks(verbs.reset_failed)
    remove = _asks(verbs.remove)
    flatten = _asks(verbs.flatten)
    lock = _asks(verbs.lock)
    unlock = _asks(verbs.unlock)
    set_parameters = _asks(verbs.set_parameters)
    set_risk = _asks(verbs.set_risk)
    set_quota = _asks(verbs.set_quota)
    schedule = _asks(schedules.schedule)
    set_schedule = _asks(schedules.set_schedule)
    clear_schedule = _asks(schedules.clear_schedule)
    promote = _asks(verbs.promote)
    command = _asks(questions.command)
    inspect = _asks(questions.inspect)

    checkpoints = _asks(states.checkpoints)
    saved_state = _asks(states.saved_state)
    save_state = _asks(questions.save_state)
    restore_state = _asks(states.restore_state)
    clear_state = _asks(states.clear_state)

    accounts = _asks(money.accounts)
    account = _asks(money.account)
    account_limits = _asks(money.account_limits)
    tighten_account = _asks(money.tighten_account)
    set_account_limits = _asks(money.set_account_limits)
    account_exposure = _asks(money.account_exposure)
    account_loss = _asks(money.account_loss)
    pause_account = _asks(money.pause_account)
    resume_account = _asks(money.resume_account)
    kill_account = _asks(money.kill_account)
    rearm_account = _asks(money.rearm_account)
    rearm = _asks(money.rearm)
    positions = _asks(money.positions)
    orders = _asks(money.orders)
    trades = _asks(money.trades)

    logs = _asks(records.logs)
    events = _asks(records.events)
    signals = _asks(records.signals)
    signal = _asks(records.signal)
    pending_signals = _asks(approvals.pending_signals)
    approve_signal = _asks(approvals.approve_signal)
    reject_signal = _asks(approvals.reject_signal)
    create_webhook = _asks(hooks.create_webhook)
    webhooks = _asks(hooks.webhooks)
    revoke_webhook = _asks(hooks.revoke_webhook)
    notifications = _asks(telling.notifications)
    add_notification = _asks(telling.add_notification)
    remove_notification = _asks(telling.remove_notification)
    test_notification = _asks(telling.test_notification)
    performance = _asks(records.performance)
    equity = _asks(records.equity)
    incidents = _asks(records.incidents)
    metrics = _asks(records.metrics)

    symbols = _asks(data.symbols)
    candles = _asks(data.candles)
    calendar = _asks(data.calendar)
    indicators = _asks(data.indicators)

    execute = _asks(trading.execute)
    backtest = _asks(trading.backtest)

    strategies = _asks(code.strategies)
    catalogue = _asks(code.catalogue)
    strategy = _asks(code.strategy)
    strategy_schema = _asks(code.strategy_schema)
    strategy_source = _asks(code.strategy_source)
    strategy_types = _asks(code.strategy_types)
    template = _asks(code.template)
    validate_parameters = _asks(code.validate_parameters)
    rescan = _asks(code.rescan)
    register = _asks(registering.register)
    validate_code = _asks(registering.validate_code)
    versions = _asks(registering.versions)
    activate = _asks(registering.activate)
    rollback = _asks(registering.rollback)
    version_source = _asks(registering.version_source)
    remove_version = _asks(registering.remove_version)
    replace_strategy = _asks(registering.replace_strategy)
    label_strategy = _asks(code.label_strategy)
    register_path = _asks(code.register_path)
    unregister = _asks(code.unregister)

    create_key = _asks(keyring.create_key)
    keys = _asks(keyring.keys)
    revoke_key = _asks(keyring.revoke_key)
    audit = _asks(keyring.audit)
