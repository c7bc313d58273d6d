"""What ``doctor`` and ``validate`` found."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Literal

from supervisor.schema.base import View


class LayerView(View):
    """One layer of the sandbox, or one thing of the host that stratd leans on.

    ``active`` it holds now; ``available`` it is there and not enough; ``missing`` it does not hold; ``off``
    it is not configured. ``command`` is what would bring it, empty if nothing would.
    """

    name: str
    state: Literal["active", "available", "missing", "off"]
    detail: str = ""
    command: str = ""


class SandboxView(View):
    """How cells are confined here: ``setting`` root, userns or bare ("" while nobody has looked).

    ``refusal`` is why code runs only if the operator answers for it (``--trust``), "" if anybody's may run;
    ``without`` names the layers that no cell gets here.
    """

    setting: str = ""
    refusal: str = ""
    without: list[str] = []


class DoctorReport(View):
    """Layer by layer. ``missing`` names what the configuration demands and this host does not have."""

    verdict: SandboxView = SandboxView()
    sandbox: list[LayerView] = []
    host: list[LayerView] = []
    missing: list[str] = []


class ValidationStep(View):
    """One check of a strategy folder; ``detail`` says what was found, or what is wrong and on which line."""

    name: str
    ok: bool
    detail: str = ""


class ValidationReport(View):
    """What ``validate`` found; ``reason`` is the first thing that is wrong, empty if all is well.

    ``rule`` names what kept its code from being tried (``sandbox``), empty where it was.
    """

    path: str
    ok: bool
    reason: str = ""
    rule: str = ""
    steps: list[ValidationStep] = []
