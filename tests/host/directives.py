"""Directives of the unit that harden: what ``probe`` finds under each, or what else shows that it holds."""

from __future__ import annotations

WANTED = {
    "NoNewPrivileges": "1",
    "CapabilityBoundingSet": "0",
    "AmbientCapabilities": "0",
    "ProtectSystem": "read-only",
    "ProtectSystem of /etc": "read-only",
    "StateDirectory": "writable",
    "ProtectHome": "0o0",
    "PrivateTmp": "False",
    "PrivateMounts": "True",
    "PrivateDevices": "[]",
    "DevicePolicy": "EPERM",
    "ProtectKernelTunables": "read-only",
    "ProtectKernelModules": "False",
    "ProtectKernelLogs": "False",
    "RestrictRealtime": "EPERM",
    "RestrictSUIDSGID": "EPERM",
    "LockPersonality": "EPERM",
    "MemoryDenyWriteExecute": "EPERM",
    "SystemCallArchitectures": "SIGSYS",
    "RestrictAddressFamilies": "EAFNOSUPPORT",
    "IPAddressDeny": "EPERM",
    "IPAddressAllow": "ok",
    "RestrictNamespaces of cgroup": "EPERM",
    "RestrictNamespaces of a cell": "ok",
    "SystemCallFilter @debug": "EPERM",
    "SystemCallFilter @cpu-emulation": "EPERM",
    "SystemCallFilter @clock": "EPERM",
    "SystemCallFilter @raw-io": "EPERM",
    "SystemCallFilter @obsolete": "EPERM",
    "KeyringMode": "_ses",
    "TasksMax": "8192",
    "UMask": "0o77",
    "LimitCORE": "(0, 0)",
    "LimitNOFILE": "65536",
    "OOMScoreAdjust": "-500",
}
"""What a probe of this name is to find; the first word is the directive."""
SHOWN_ELSEWHERE = {
    "ProtectClock": "its calls are those of @clock; CAP_SYS_TIME is in no bounding set",
    "RemoveIPC": "tests/host/life.py, once the service has stopped",
    "SystemCallErrorNumber": "what every probe of a filter is answered",
}
"""Directives without a probe of their own, and what shows them."""
