"""Everything that goes wrong between a strategy and its host, split by whose fault it is.

::

    StrategyError
    ├── the author's      NoStrategyClass  BadResult  NoSuchHistory  ExpressionError
    │                     SchemaInvalid  StateInvalid  JsonRefused  TooManyErrors
    ├── the operator's    ParametersInvalid  NotConfigured
    ├── of the past       StateIncompatible  StateCorrupt
    └── ours              OutOfTurn
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong with a document: where (a dotted path) and what, in one line."""

    path: str
    message: str

    def __str__(self) -> str:
        """``path: message``, or the message alone for the document as a whole."""
        return f"{self.path}: {self.message}" if self.path else self.message


class StrategyError(Exception):
    """Root of this package's errors; each says in one line what was wrong and what is allowed."""


class NoStrategyClass(StrategyError):
    """The module does not define exactly one usable subclass of ``IStrategy``."""


class BadResult(StrategyError):
    """A callback returned something that is no signal, or a signal that cannot be one."""


class NoSuchHistory(StrategyError, ValueError):
    """More candles asked for than are kept, or a timeframe or symbol that is not subscribed."""


class ExpressionError(StrategyError, ValueError):
    """A constraint that cannot be parsed, or that uses more than the small language allows."""


class Invalid(StrategyError, ValueError):
    """A document with problems, all of them, in the order in which they stand in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class SchemaInvalid(Invalid):
    """The parameter schema of a strategy is itself wrong."""


class ParametersInvalid(Invalid):
    """The parameters given to a strategy do not fit its schema."""


class NotConfigured(StrategyError):
    """The strategy asked its context for a service that this deployment does not have."""


class StateInvalid(StrategyError, ValueError):
    """``save_state`` returned something that cannot be kept: a type, a depth or a size."""


class JsonRefused(StrategyError, ValueError):
    """No value of JSON, or one beyond its bounds: what a command or ``inspect`` answered, or a payload."""


class StateIncompatible(StrategyError):
    """Raised by ``load_state``: this state is of another version and cannot be used."""


class StateCorrupt(StateIncompatible):
    """The bytes of a checkpoint are no checkpoint: cut short, overwritten or too large."""


class TooManyErrors(StrategyError):
    """The strategy raised so often that going on is pointless: restart it from its checkpoint."""


class OutOfTurn(StrategyError):
    """The host was handed an event that its phase does not allow: a fault of the caller."""
