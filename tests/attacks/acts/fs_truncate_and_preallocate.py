"""Empty the files of others, by every call that does, or take room through them."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    calls = {}
    for name in ("config", "other_code", "other_state"):
        path = CTX[name]
        calls[f"truncate_{name}"] = lambda p=path: os.truncate(p, 0)
        calls[f"otrunc_{name}"] = lambda p=path: os.open(p, os.O_RDONLY | os.O_TRUNC)
        calls[f"append_{name}"] = lambda p=path: os.open(p, os.O_WRONLY | os.O_APPEND)
        calls[f"creat_{name}"] = lambda p=path: open(p, "wb")
        calls[f"read_{name}"] = lambda p=path: open(p, "rb").read()
    return all_denied(**calls)
