"""The rules of the gate: every id that can stand in an ack, its step in signals.md, and its meaning.

The ids are API: they appear in acks, in ``stratd signals`` and in the journal, and never change their
meaning. A new rule is a new line here; the gate refuses to name a rule that is not.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Rule(Struct, frozen=True):
    """``step`` of the validation order, and why the rule refuses, as a sentence without its subject."""

    step: int
    because: str


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
    # 4 duplicates
    "duplicate": Rule(4, "a signal with the same idempotency key was accepted before"),
    # 5 time
    "unstamped": Rule(5, "the time of its data is missing, so its age is unknown"),
    "clock_skew": Rule(5, "its data is from the future"),
    "ttl": Rule(5, "its data is older than it may live"),
    # 6 what may be traded
    "symbol_not_granted": Rule(6, "the symbol is not one of the deployment"),
    "timeframe_not_granted": Rule(6, "the timeframe is not one of the deployment"),
    "mode_unsupported": Rule(6, "only paper trading exists yet"),
    # 7 numbers and instructions
    "number_invalid": Rule(7, "a number is not finite or out of its range"),
    "reason_missing": Rule(7, "an entry gives no reason"),
    "intent_unsupported": Rule(7, "adjust needs protective exits, which do not exist yet"),
    "order_type_unsupported": Rule(7, "only market orders exist yet"),
    "time_in_force_unsupported": Rule(7, "a market order waits for its tick: only day and gtc say that"),
    "instruction_unsupported": Rule(7, "max_slippage_bps or oco_group is given and would not be obeyed"),
    "order_price_unexpected": Rule(7, "a market order names a limit or stop price"),
    "protective_unsupported": Rule(7, "an exit is demanded that the engine would not make yet"),
    "limit_unsupported": Rule(7, "the risk configuration has a limit that would not be held yet"),
    "limit_invalid": Rule(7, "a limit of the risk configuration is no finite number"),
    "price_unknown": Rule(7, "no price of the symbol is known, so no limit can be judged"),
    "reference_unknown": Rule(7, "it names no price that the strategy saw, so the collar cannot be judged"),
    "price_collar": Rule(7, "the price that the strategy saw is too far from the last one"),
    "sizing_ambiguous": Rule(7, "more than one size is given"),
    "sizing_missing": Rule(7, "no size that the intent takes is given"),
    "sizing_not_allowed": Rule(7, "a size is given that the intent does not take"),
    "sizing_unsupported": Rule(7, "target_weight and risk_pct need the equity of the account"),
    "quantity_out_of_range": Rule(7, "the order comes to no units, or to more than 1e15"),
    "max_notional": Rule(7, "the position would be worth more than allowed"),
    # 8 rates
    "rate": Rule(8, "more signals a second than granted"),
    "open_orders": Rule(8, "too many orders of this symbol wait already"),
    # 9 position logic
    "no_position": Rule(9, "it is an exit, and there is nothing to exit"),
    "already_at_target": Rule(9, "the position is what the target asks for already"),
    "reduce_only": Rule(9, "it is marked reduce_only, and would not only reduce"),
    "nothing_to_cancel": Rule(9, "no order waits"),
    "max_position_size": Rule(9, "the position would be larger than allowed"),
    # 10 risk of deployment and account, 11 remote risk service: their rules come with them
    # no refusal: decision "modified"
    "clipped_to_position": Rule(9, "an exit of more than is held was cut down to what is held"),
}
