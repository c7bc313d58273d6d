"""What a strategy author imports, and everything that is computed without IO. Floor 1.

Everything that a strategy needs comes from here::

    from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig

The names are loaded when the first of them is asked for (PEP 562): engine and supervisor use modules of this
package, and no name of the authors', which bring numpy: 7 MiB and some 100 ms in each of the two.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strategies.exports import *  # noqa: F403 - whatever is offered there
else:

    def __getattr__(name: str) -> object:
        """Give every name at once. What authors import has a capital letter; modules have none."""
        if not (name[:1].isupper() or name == "__all__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        offered = import_module("strategies.exports")
        globals().update({each: getattr(offered, each) for each in ("__all__", *offered.__all__)})
        return getattr(offered, name)

    def __dir__() -> list[str]:
        """Tell all that there is."""
        return sorted({*globals(), *import_module("strategies.exports").__all__})
