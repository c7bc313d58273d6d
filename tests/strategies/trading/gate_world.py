"""A view in which an entry is accepted, and what tests of the gate change about it."""

from __future__ import annotations

import msgspec

from bus.messages import Level, Signal
from strategies.trading.desk import SECOND, Standing
from strategies.trading.figures import Figures
from strategies.trading.gate import judge
from strategies.trading.instruments import Instrument
from strategies.trading.latches import Latch
from strategies.trading.levels import Protection
from strategies.trading.limits import Limits
from strategies.trading.protection import Guard
from strategies.trading.view import LiveGrant, Party, View

NOW = 1_700_000_000 * SECOND

ENTRY = Signal(
    symbol="X",
    intent="enter_long",
    quantity=1.0,
    reason="why",
    timeframe="1m",
    data_key=NOW,
    data_as_of=NOW,
    reference_price=100.0,
)
EXIT = msgspec.structs.replace(ENTRY, intent="exit_long", quantity=None)
VIEW = View(
    standing=Standing.OPEN,
    current=True,
    warm=True,
    duplicate=False,
    symbols=frozenset({"X", "Y"}),
    timeframes=frozenset({"1m"}),
    mode="paper",
    own=Party(),
    price=100.0,
)
LONG = {"held": 10.0}
LIVE = {"mode": "live", "live": LiveGrant(config=True, account=True, deployment=True)}
PARTY = set(Party.__struct_fields__)
GUARD = Guard(
    deployment_id="d", account_id="A", symbol="X", seq=1, after=7, side=1, entry=98.0, opened_at=1,
    protect=Protection(stop_loss=Level("price", 92.0)), stop=92.0,
)  # fmt: skip


def judged(signal=ENTRY, view=None, now=NOW, **fields):
    return judge(msgspec.structs.replace(signal, **fields), changed(VIEW, **(view or {})), now)


def changed(view, **fields):
    """Return ``view`` with other fields; those of the deployment itself are named without ``own``."""
    own = {name: fields.pop(name) for name in list(fields) if name in PARTY}
    return msgspec.structs.replace(view, own=msgspec.structs.replace(view.own, **own), **fields)


TODAY = Figures(scope="deployment", name="d", day="d", start_equity=1000.0, peak_equity=1000.0)
LIMIT = {"order_type": "limit", "limit_price": 99.0}
TICKS = Instrument(symbol="X", tick_size=0.5, lot_size=1.0, min_quantity=2.0)
LATCH = Latch(scope="deployment", name="d", kind="lock", rule="max_drawdown", reason="why", at=1)


def latched(kind):
    return {"latch": msgspec.structs.replace(LATCH, kind=kind)}


def limited(figures=TODAY, equity=1000.0, **limits):
    return {"limits": Limits(**limits), "figures": figures, "equity": equity}
