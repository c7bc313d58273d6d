"""The rules of the gate: every id that can stand in an ack, its step in signals.md, and its meaning.

The ids are API: they appear in acks, in ``stratd signals`` and in the journal, and never change their
meaning. A new rule is a new line here; the gate refuses to name a rule that is not.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus.messages import Decision


class Rule(Struct, frozen=True):
    """``step`` of the validation order, and why the rule refuses, as a sentence without its subject."""

    step: int
    because: str
    decision: Decision = "rejected"


class Refusal(Struct, frozen=True, gc=False):
    """Why a signal is not let through: the id of a rule, and a sentence with the figures of this case."""

    rule: str
    detail: str


RULES: Final[dict[str, Rule]] = {
    # 1 size limits (parsing is the decoder's)
    "too_large": Rule(1, "tags and indicators are more than 4 KiB together"),
    # 2 fencing and identity
    "not_attached": Rule(2, "no instance of this deployment is known to run"),
    "stale_generation": Rule(2, "it comes from an instance that has been replaced"),
    # 3 lifecycle
    "warming": Rule(3, "the instance is not warm yet"),
    "paused": Rule(3, "the deployment is paused"),
    "exit_only": Rule(3, "only exits are let through, and this is none"),
    "stopping": Rule(3, "the instance is being stopped"),
    "latch_exit_only": Rule(3, "a latch lets only exits through until an operator takes it back"),
    "latch_pause": Rule(3, "a latch lets nothing through until an operator takes it back"),
    "latch_flatten": Rule(3, "a latch closed every position; only exits until an operator takes it back"),
    "latch_lock": Rule(3, "a latch closed every position; nothing until an operator takes it back"),
    "cooldown_after_loss": Rule(3, "too many round trips in a row lost money, and the pause is not over"),
    "cooling_off_after_stop": Rule(3, "a stop ended a position, and the pause after it is not over"),
    # 4 duplicates
    "duplicate": Rule(
        4, "a signal with the same idempotency key was accepted before, or waited for approval", "duplicate"
    ),
    # 5 time
    "unstamped": Rule(5, "the time of its data is missing, so its age is unknown"),
    "clock_skew": Rule(5, "its data is from the future"),
    "ttl": Rule(5, "its data is older than it may live", "expired"),
    # 6 what may be traded, when, and in which mode
    "symbol_not_granted": Rule(6, "the symbol is not one of the deployment"),
    "timeframe_not_granted": Rule(6, "the timeframe is not one of the deployment"),
    "mode_unsupported": Rule(6, "the trading mode is none of paper, live and backtest"),
    "live_not_granted": Rule(6, "live trading is not allowed by configuration, account and deployment"),
    "session_closed": Rule(6, "the symbol is out of session"),
    "session_unknown": Rule(6, "whether the symbol is in session is not known"),
    "session_not_allowed": Rule(6, "the time is in none of the allowed sessions"),
    "squared_off": Rule(6, "positions of this trading day have been squared off already"),
    # 7 numbers and instructions
    "number_invalid": Rule(7, "a number is not finite or out of its range"),
    "reason_missing": Rule(7, "an entry gives no reason"),
    "instrument_unknown": Rule(7, "the entry of the symbol in the instruments file cannot be read"),
    "order_price_missing": Rule(7, "the type of order needs a price that is not given"),
    "order_price_unexpected": Rule(7, "a price is given that the type of order does not take"),
    "off_tick_grid": Rule(7, "a price is no multiple of the tick size"),
    "time_in_force_unsupported": Rule(7, "an order that waits for its stop price is not ioc or fok"),
    "good_till_invalid": Rule(7, "gtd goes with a good_till in the future, and nothing else does"),
    "instruction_unsupported": Rule(7, "max_slippage_bps is for market orders"),
    "protective_unknown": Rule(7, "a stop or target is a multiple of what is not known"),
    "stop_side": Rule(7, "a stop is not on the losing side, or an order's stop price is touched already"),
    "target_side": Rule(7, "a target is not on the winning side"),
    "limit_unsupported": Rule(7, "the risk configuration has a limit that nobody knows"),
    "limit_invalid": Rule(7, "a limit of the risk configuration is no limit"),
    "price_unknown": Rule(7, "no price of the symbol is known, so no limit can be judged"),
    "reference_unknown": Rule(7, "it names no price that the strategy saw, so the collar cannot be judged"),
    "price_collar": Rule(7, "the price that the strategy saw, or its limit, is too far from the last one"),
    "sizing_ambiguous": Rule(7, "more than one size is given"),
    "sizing_missing": Rule(7, "no size that the intent takes is given"),
    "sizing_not_allowed": Rule(7, "a size is given that the intent does not take"),
    "stop_missing": Rule(7, "risk_pct needs a stop_loss"),
    "quantity_out_of_range": Rule(7, "the order comes to no units, or to more than 1e15"),
    "below_lot": Rule(7, "the order comes to less than one lot"),
    "below_min_quantity": Rule(7, "the order comes to less than the least quantity of the symbol"),
    "unjudged": Rule(7, "judging it failed, by a mistake in stratd"),
    "max_notional": Rule(7, "the position would be worth more than allowed"),
    # 8 rates
    "rate": Rule(8, "more signals a second than granted"),
    "account_rate": Rule(8, "more signals a second than granted to all deployments of the account"),
    "open_orders": Rule(8, "too many orders of this symbol wait already"),
    "remembered": Rule(8, "too many signals of the deployment were accepted within a day"),
    "max_orders_per_min": Rule(8, "as many orders as allowed were accepted in the last minute"),
    "max_orders_per_day": Rule(8, "as many orders as allowed were accepted today"),
    "max_identical_orders_per_min": Rule(8, "as many orders like this one as allowed in the last minute"),
    # 9 position logic
    "no_position": Rule(9, "it is an exit, and there is nothing to exit"),
    "already_at_target": Rule(9, "the position is what the target asks for already"),
    "reduce_only": Rule(9, "it is marked reduce_only, and would not only reduce"),
    "nothing_to_cancel": Rule(9, "no order waits"),
    "nothing_to_adjust": Rule(9, "it is an adjust, and nothing is guarded"),
    "adjust_refused": Rule(9, "the guard of the position cannot be adjusted so"),
    "held_otherwise": Rule(9, "the position, or an order that waits, is of another account or mode"),
    "max_position_size": Rule(9, "the position would be larger than allowed"),
    "max_open_positions": Rule(9, "as many positions as allowed are open"),
    # 10 risk of deployment and account
    "figures_unknown": Rule(10, "a figure of the day that a limit needs is not known"),
    "equity_unknown": Rule(10, "the equity that a limit or the size needs is not known"),
    "exposure_unknown": Rule(10, "what the other positions are worth is not known"),
    "max_exposure": Rule(10, "all positions together would be worth more than allowed"),
    "max_daily_loss": Rule(10, "more than allowed was lost today"),
    "max_drawdown": Rule(10, "equity is further below its peak than allowed"),
    "daily_profit_lock": Rule(10, "the day's profit reached what is to be kept"),
    # 11 remote risk service
    "remote_denied": Rule(11, "the remote risk service lets no entry through"),
    "remote_unreachable": Rule(
        11, "the remote risk service does not answer, so no live entry is let through"
    ),
    # no refusal yet: decision "pending"; and what becomes of it but "accepted" (approvals.py)
    "approval_needed": Rule(11, "a person is to approve it first", "pending"),
    "approval_denied": Rule(11, "a person was asked to approve it, and refused"),
    "approval_lapsed": Rule(11, "nobody approved it in time", "expired"),
    "approval_withdrawn": Rule(
        11, "it waited for approval, and the strategy or a latch took it back meanwhile"
    ),
    "approval_outdated": Rule(11, "account or mode are other ones than when it began to wait for approval"),
    # no refusal: decision "modified"
    "lot_rounded": Rule(7, "the quantity was rounded down to whole lots", "modified"),
    "slippage_unbounded": Rule(7, "an exit takes any price: max_slippage_bps was dropped", "modified"),
    "clipped_to_position": Rule(9, "an exit of more than is held was cut down to what is held", "modified"),
}
