"""Which layers of the sandbox this host gives, and whether they hold untrusted code: facts, and the verdict.

The facts are found by doing (``sandbox.confine.attempt``); what follows from them is decided here, purely.
The verdict is the measured table "What degrades how" of the design: of every set-up that lacks a layer, how
many of 138 hostile strategies were contained.

    setting      who                                       what it has
    root         the daemon is root                        namespaces, a uid of its own for every strategy
    userns       an ordinary user with user namespaces     namespaces, a nested user namespace a strategy
    bare         namespaces are refused                    Landlock and seccomp alone, no scratch folder
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Setting: TypeAlias = Literal["root", "userns", "bare"]


class Layer(Struct, frozen=True):
    """One layer: whether it is ``active`` in the cells of this daemon, why (not), and what brings it."""

    name: str
    active: bool
    detail: str
    command: str = ""


class Survey(Struct, frozen=True):
    """What the cells of this host get. ``refusal`` is why untrusted code may not run, "" if it may."""

    setting: Setting
    layers: list[Layer]
    refusal: str

    def has(self, name: str) -> bool:
        """Whether a layer is active."""
        return any(layer.active for layer in self.layers if layer.name == name)

    def layer(self, name: str) -> Layer:
        """Return a layer by its name."""
        return next(layer for layer in self.layers if layer.name == name)


NEEDED: dict[Setting, tuple[str, ...]] = {
    "root": ("namespaces", "mounts", "seccomp"),
    "userns": ("namespaces", "mounts", "seccomp"),
    "bare": ("landlock", "seccomp"),
}
"""What must be active for untrusted code, by setting. Landlock beside namespaces is depth, not need: 138 of
138 without it. Without seccomp 102, without both namespaces and Landlock 125, with Landlock alone 30."""


def refusal(setting: Setting, layers: list[Layer]) -> str:
    """Return why untrusted code may not run here, naming every layer that is missing; "" if it may."""
    active = {layer.name: layer for layer in layers if layer.active}
    missing = [layer for layer in layers if layer.name in NEEDED[setting] and layer.name not in active]
    if not missing:
        return ""
    said = "; ".join(f"{layer.name} ({layer.detail})" for layer in missing)
    without = "namespaces are refused, and " if setting == "bare" else ""
    return f"untrusted code cannot be held here: {without}missing: {said}"
