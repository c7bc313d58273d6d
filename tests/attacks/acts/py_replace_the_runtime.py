"""Replace the runtime's own functions, in every module and class that can be found."""

import sys

EXPECT = r"returned:'contained"


def attack():
    def nothing(*_, **__):
        return None

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"sandbox", "bus", "strategies", "msgspec", "msgpack"}:
            for key, value in list(vars(module).items()):
                if callable(value) and not isinstance(value, type):
                    setattr(module, key, nothing)
                elif isinstance(value, type):
                    for method, function in list(vars(value).items()):
                        try:
                            if callable(function) and not method.startswith("__"):
                                setattr(value, method, nothing)
                        except (TypeError, AttributeError):
                            continue
    return "contained"
