"""Whether code may run on this host: what its layers hold, and who answers for the code. Pure.

A stranger's code runs where every layer is active that ``sandbox.confine.survey`` needs of this setting (the
measured table there), and those that the configuration demands besides (``[sandbox] require``): more can be
demanded, never less. Code that somebody answers for runs with the layers that there are, all of them:

* the operator's own, by ``--trust``. Trust is in the code at one path and not in a name: whoever could put
  other code under that name (``register``, a new version elsewhere) would inherit it;
* what is shipped with stratd, which had to be trusted to install it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sandbox.confine.survey import NEEDED, Layer, Survey
from supervisor.store.tables import Deployment

RULE = "sandbox"
"""The rule that refuses a start (docs/cli.md)."""


class Code(Protocol):
    """What must be known of code to trust it."""

    @property
    def code_path(self) -> str:
        """Folder or file, absolute."""
        ...

    @property
    def built_in(self) -> bool:
        """Whether it was shipped with stratd."""
        ...


def trusted(deployment: Deployment, code: Code) -> bool:
    """Whether the operator said that he answers for this very code."""
    return deployment.trusted_path == code.code_path


def answered_for(deployment: Deployment, code: Code) -> bool:
    """Whether anybody does."""
    return code.built_in or trusted(deployment, code)


def missing(survey: Survey, require: Sequence[str] = ()) -> list[Layer]:
    """Return the layers that a stranger's code needs here and that are not active."""
    wanted = {*NEEDED[survey.setting], *require}
    return [layer for layer in survey.layers if layer.name in wanted and not layer.active]


def refusal(survey: Survey, require: Sequence[str] = ()) -> str:
    """Return why a stranger's code may not run here, with every command that helps; "" if it may."""
    beyond = [layer for layer in missing(survey, require) if layer.name not in NEEDED[survey.setting]]
    said = ", ".join(f"{layer.name} ({layer.detail})" for layer in beyond)
    why = "; ".join(
        filter(None, (survey.refusal, said and f"the configuration demands what is missing: {said}"))
    )
    if not why:
        return ""
    cures = [f"{layer.name}: {layer.command}" for layer in missing(survey, require) if layer.command]
    if survey.refusal and (instead := _better_setting(survey)):
        cures.append(f"or another setting, by {instead.name}: {instead.command}")
    return f"{why}. To bring it: {'; '.join(cures)}" if cures else why


def _better_setting(survey: Survey) -> Layer | None:
    """Return the layer for want of which the setting is ``bare``, if anything brings it."""
    if survey.setting != "bare":
        return None
    isolating = [layer for layer in survey.layers if layer.name in NEEDED["root"] and layer.name != "seccomp"]
    return next((layer for layer in isolating if layer.command and not layer.active), None)


def objection(deployment: Deployment, code: Code, survey: Survey | None, require: Sequence[str] = ()) -> str:
    """Return why this deployment may not run here and what would let it, a line; "" if it may.

    ``survey`` None: nobody looked at the host, so that nothing is known to hold.
    """
    if answered_for(deployment, code):
        return ""
    why = "nobody has looked at this host yet" if survey is None else refusal(survey, require)
    own = f"If you answer for {code.code_path}: stratd start {deployment.id} --trust"
    return f"{why}. {own}" if why else ""


def summary(survey: Survey, require: Sequence[str] = ()) -> str:
    """Say in a line how cells are confined here, and whether that is enough for a stranger's code."""
    off = [layer.name for layer in survey.layers if not layer.active]
    confined = f"without {', '.join(off)}" if off else "every layer"
    held = f"setting {survey.setting}, {confined}"
    why = refusal(survey, require)
    return f"{held}; only trusted code runs: {why}" if why else held
