"""A program that runs two strategies of its own, each in a confined process, over a made-up market.

Run it with ``python examples/embedded.py``. docs/embedding.md explains every call.
"""

import math

from bus.messages import Tick
from strategies.config import RiskConfig, StrategyConfig
from strategies.trading.accounts import AccountTerms
from strategies.trading.setup import Setup
from supervisor.orchestrator import StrategyOrchestrator

START = 1_704_067_200_000_000_000
SECOND = 1_000_000_000


def config(name: str, fast: int) -> StrategyConfig:
    """Describe one moving average crossover with a stop of one per cent."""
    return StrategyConfig(
        strategy_id=name,
        account_id="research",
        trading_mode="paper",
        symbols=("EURUSD",),
        timeframes=("1m",),
        parameters={"fast_period": fast, "slow_period": 20, "quantity": 1_000.0},
        risk_management=RiskConfig(stop_loss_percentage=1.0),
    )


def main() -> None:
    """Trade four hours of a wave, a tick every ten seconds."""
    trading = Setup(accounts={"research": AccountTerms(name="research", capital=10_000.0)})
    with StrategyOrchestrator(trading=trading) as orchestrator:
        for name, fast in (("quick", 5), ("slow", 10)):
            orchestrator.load_strategy(config(name, fast), "moving_average_crossover")
        for number in range(4 * 360):
            price = 1.1 + 0.01 * math.sin(number / 120)
            tick = Tick("EURUSD", START + number * 10 * SECOND, last=price, size=1.0)
            for name, answer in orchestrator.on_tick(tick).items():
                for verdict in answer.verdicts:
                    print(f"{name:6} {verdict.signal.intent:11} {verdict.decision} {verdict.rule}")
                for fill in answer.fills:
                    print(f"{name:6} {fill.quantity:+g} at {fill.price:.5f}")
        print(f"equity {orchestrator.account('research').equity:.2f}")


if __name__ == "__main__":
    main()
