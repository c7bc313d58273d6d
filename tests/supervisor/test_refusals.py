"""What is refused of cells, told now and then and counted always."""

from __future__ import annotations

from supervisor.engine.refusals import EVERY, Refusals


def heard() -> tuple[Refusals, list[tuple[str, str, str, int]]]:
    told: list[tuple[str, str, str, int]] = []
    return Refusals(lambda *event: told.append(event)), told


def test_the_first_of_a_kind_is_told_at_once_and_the_others_are_counted() -> None:
    refusals, told = heard()
    for number in range(1000):
        refusals.note("report_fenced", f"number {number}", "one", 3, 7)
    assert told == [("report_fenced", "number 0", "one", 3)]
    refusals.look(7 + EVERY - 1)
    assert len(told) == 1
    refusals.look(7 + EVERY)
    assert told[1:] == [("report_fenced", "999 more, the last: number 999", "one", 3)]
    refusals.look(7 + 2 * EVERY - 1)
    refusals.note("report_fenced", "again", "one", 3, 7 + 2 * EVERY)
    refusals.look(7 + 2 * EVERY)
    assert told[2:] == [("report_fenced", "1 more, the last: again", "one", 3)]


def test_each_kind_and_each_instance_has_its_own_first() -> None:
    refusals, told = heard()
    for kind, owner, generation in (("a", "one", 1), ("b", "one", 1), ("a", "two", 1), ("a", "one", 2)):
        for _ in range(3):
            refusals.note(kind, "why", owner, generation, 1)
    assert told == [
        ("a", "why", "one", 1),
        ("b", "why", "one", 1),
        ("a", "why", "two", 1),
        ("a", "why", "one", 2),
    ]


def test_who_was_quiet_is_forgotten_and_told_of_at_once_when_it_begins_again() -> None:
    refusals, told = heard()
    refusals.note("a", "first", "one", 1, 0)
    refusals.look(EVERY)
    assert not refusals._known
    refusals.note("a", "second", "one", 1, EVERY)
    assert [detail for _, detail, _, _ in told] == ["first", "second"]
