"""Who may run on which host: every layer of every setting, and whoever answers for the code."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sandbox.confine import survey
from sandbox.confine.survey import NEEDED, Layer, Survey
from supervisor.catalogue import Entry
from supervisor.config.sections import LAYERS
from supervisor.store.tables import Deployment
from supervisor.trust import missing, objection, refusal, summary, trusted

MINE = Deployment(
    id="mine", strategy="s", version="1", account="a", mode="paper", symbols=["X"], timeframes=["1m"],
    memory=1, cpu=1.0, created_at=1, updated_at=1,
)  # fmt: skip
CODE = Entry(
    name="s", version="1", code_path="/s/one", code_hash="", warmup=0, symbols=[], timeframes=[], schema=None
)


def host(setting: survey.Setting, *off: str) -> Survey:
    layers = [Layer(name, name not in off, f"why {name}", f"get {name}") for name in LAYERS]
    return Survey(setting, layers, survey.refusal(setting, layers))


@pytest.mark.parametrize("setting", NEEDED)
@pytest.mark.parametrize("layer", LAYERS)
def test_one_missing_layer_keeps_a_stranger_out_exactly_where_it_is_needed(setting, layer):
    why = objection(MINE, CODE, host(setting, layer))
    if layer not in NEEDED[setting]:
        assert why == ""
        return
    for told in (f"{layer} (why {layer})", f"{layer}: get {layer}", "/s/one", "stratd start mine --trust"):
        assert told in why
    assert "\n" not in why


@pytest.mark.parametrize("setting", NEEDED)
def test_code_that_somebody_answers_for_runs_on_every_host(setting):
    nothing = host(setting, *LAYERS)
    assert objection(replace(MINE, trusted_path="/s/one"), CODE, nothing) == ""
    assert objection(MINE, replace(CODE, built_in=True), nothing) == ""


@pytest.mark.parametrize("path", ["", "/s/other", "/s", "/s/one/"])
def test_trust_is_in_the_code_at_one_path(path):
    assert not trusted(replace(MINE, trusted_path=path), CODE)
    assert objection(replace(MINE, trusted_path=path), CODE, host("userns", "seccomp"))


def test_of_a_host_that_nobody_looked_at_nothing_is_known_to_hold():
    assert objection(MINE, CODE, None).startswith("nobody has looked at this host yet. If you answer")


def test_every_missing_layer_is_named_with_its_cure_the_needed_and_the_demanded():
    why = refusal(host("userns", "seccomp", "mounts", "cgroup", "landlock"), ["cgroup", "seccomp"])
    assert why == (
        "untrusted code cannot be held here: missing: mounts (why mounts); seccomp (why seccomp); the "
        "configuration demands what is missing: cgroup (why cgroup). To bring it: mounts: get mounts; "
        "seccomp: get seccomp; cgroup: get cgroup"
    )


def test_a_layer_that_nothing_brings_is_named_without_a_cure():
    layers = [Layer("landlock", True, ""), Layer("seccomp", False, "never")]
    found = Survey("bare", layers, survey.refusal("bare", layers))
    assert refusal(found).endswith("missing: seccomp (never)")
    assert [layer.name for layer in missing(found)] == ["seccomp"]


def test_where_namespaces_are_refused_their_cure_is_told_as_another_way():
    why = refusal(host("bare", "namespaces", "mounts", "landlock"))
    assert why.endswith("landlock: get landlock; or another setting, by namespaces: get namespaces")
    assert "another setting" not in refusal(host("userns", "seccomp"))


def test_the_summary_says_what_is_off_and_who_may_run():
    assert summary(host("root")) == "setting root, every layer"
    assert summary(host("root", "landlock")) == "setting root, without landlock"
    assert summary(host("bare", "seccomp")).startswith(
        "setting bare, without seccomp; only trusted code runs: untrusted code cannot be held here"
    )
