"""Walk all objects, frozen ones too, for tokens, endpoints and specifications of any cell."""

import gc

EXPECT = r"returned:'clean"
NAMES = ("token", "market_endpoint", "report_endpoint", "deployment_id")


def attack():
    gc.unfreeze()
    hits = []
    for found in gc.get_objects():
        kind = type(found).__name__
        if kind in {"CellSpec", "CellLink", "Spawn", "Warden", "Supervisor"}:
            hits.append(kind)
        if isinstance(found, dict):
            hits += [
                f"{name}={found[name]}"
                for name in NAMES
                if isinstance(found.get(name), str) and not found[name].startswith("attacker-")
            ]
    return f"ESCAPED {hits[:5]}" if hits else "clean"
