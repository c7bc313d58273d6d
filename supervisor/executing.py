"""From ``POST /execute`` to the start of a new deployment. Pure.

``capital_allocation`` becomes ``max_exposure`` of the deployment: all that it holds is never worth more, long
and short alike, so what was allocated is the most that is in the market, without leverage. The gate holds it
to that at every entry (docs/risk.md). It is no second capital: sizes that are shares of equity
(``target_weight``, ``risk_pct``) are of the account's, as for every deployment.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import count
from typing import Final

from strategies.plugins import Found
from supervisor.errors import Invalid, Refused
from supervisor.schema import StartRequest
from supervisor.schema.running import ExecuteRequest

LONGEST_ID: Final = 64


def deployment_id(name: str, taken: Container[str]) -> str:
    """Return the first of ``name``, ``name-2``, ``name-3``... that is not ``taken``, cut where too long."""
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        made = name[: LONGEST_ID - len(ending)] + ending
        if made not in taken:
            return made
    raise AssertionError  # there are more numbers than deployments


def start_of(
    request: ExecuteRequest, found: Found, taken: Container[str], capital: float | None
) -> StartRequest:
    """Return what has to be started.

    ``taken`` are the ids that there are, ``capital`` is the account's, None where it is unknown. Raises
    ``Invalid`` where nobody says which instruments, ``Refused`` where more is allocated than there is.
    """
    if not (request.instruments or found.symbols):
        raise Invalid(
            [f"instruments: {found.reference} was registered without any; name those that it is to trade"]
        )
    if capital is not None and request.capital_allocation > capital:
        raise Refused(
            "capital",
            f"capital_allocation is {request.capital_allocation:g}, and its account has {capital:g}",
        )
    return StartRequest(
        id=deployment_id(found.name, taken),
        strategy=found.reference,
        symbols=request.instruments,
        timeframes=[request.timeframe] if request.timeframe else None,
        parameters=request.parameters,
        risk={"max_exposure": request.capital_allocation},
        account=request.account,
        mode=request.mode,
        confirm_live=request.confirm_live,
    )
