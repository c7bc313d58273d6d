"""Rename, replace, exchange and remove what belongs to the daemon and to others."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    config, code = CTX["config"], CTX["other_code"]
    folder = os.path.dirname(config)
    return all_denied(
        rename=lambda: os.rename(config, "/tmp/config"),
        within=lambda: os.rename(code, f"{code}.bak"),
        replace=lambda: os.replace(__file__ if "__file__" in globals() else "/strategy/kit.py", code),
        exchange=lambda: syscall(316, -100, config.encode(), -100, code.encode(), 2),
        unlink=lambda: os.unlink(code),
        rmdir=lambda: os.rmdir(os.path.dirname(code)),
        mkdir=lambda: os.mkdir(f"{folder}/new"),
        socket=lambda: os.unlink(CTX["victim_sock"]),
        forkserver=lambda: os.unlink(CTX["forkserver"]),
    )
