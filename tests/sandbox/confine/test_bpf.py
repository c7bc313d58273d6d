import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.confine.bpf import ALLOW, KILL, Case, Check, Later, Policy, compile_policy, fail
from tests.sandbox.confine.machine import judge, run

ARCHITECTURE = 0xC000003E
PIDS = {"own": 41, "ward": 42}

small = st.integers(0, 9)
words = st.one_of(small, st.sampled_from([1 << 31, 0xFFFFFFFF, 0x40000000]), st.integers(0, 2**32 - 1))
longs = st.one_of(words, st.sampled_from([1 << 32, (1 << 32) + 1, 2**64 - 1]), st.integers(0, 2**64 - 1))
values = st.one_of(words, st.sampled_from([Later(name) for name in PIDS]))
checks = st.builds(
    Check,
    argument=st.integers(0, 5),
    values=st.lists(values, min_size=1, max_size=12).map(tuple),
    mask=longs,
    wide=st.booleans(),
)
verdicts = st.one_of(st.just(ALLOW), st.just(KILL), st.integers(0, 4095).map(fail))
cases = st.builds(Case, st.lists(checks, max_size=3).map(tuple), verdicts)
rules = st.lists(cases, max_size=3).map(tuple)
policies = st.builds(
    Policy,
    architecture=st.just(ARCHITECTURE),
    rules=st.dictionaries(st.integers(0, 500), rules, max_size=40),
    refusal=verdicts,
    foreign=verdicts,
    beyond=st.lists(verdicts, max_size=2).map(
        lambda found: tuple(zip((501, 0x40000000), found, strict=False))
    ),
)


def interesting(policy):
    """Arguments near what the policy compares them with, so that checks hold often enough to matter."""
    seen = {0, 41, 42}
    for rule in policy.rules.values():
        for case in rule:
            for check in case.checks:
                seen |= {value for value in check.values if isinstance(value, int)} | {check.mask}
    near = st.sampled_from(sorted(seen))
    return st.one_of(near, near.map(lambda value: (value | 1 << 32) & (2**64 - 1)), longs)


@given(st.data(), policies)
def test_a_program_says_what_its_policy_says(data, policy):
    program = compile_policy(policy)
    argument = interesting(policy)
    numbers = st.one_of(st.sampled_from([*policy.rules, 0, 501, 0x40000000]), st.integers(0, 2**32 - 1))
    for _ in range(20):
        number = data.draw(numbers)
        arguments = data.draw(st.lists(argument, min_size=6, max_size=6))
        expected = judge(policy, ARCHITECTURE, number, arguments, PIDS)
        assert expected == run(program, ARCHITECTURE, number, arguments, PIDS)


@given(policies, st.integers(0, 2**32 - 1), words)
@example(Policy(ARCHITECTURE, {}, ALLOW), 0x40000003, 0)  # AUDIT_ARCH_I386, as of int 0x80
def test_another_architecture_is_answered_before_its_numbers_are_looked_at(policy, architecture, number):
    program = compile_policy(policy)
    expected = (
        policy.foreign if architecture != ARCHITECTURE else judge(policy, architecture, number, [0] * 6, PIDS)
    )
    assert expected == run(program, architecture, number, [0] * 6, PIDS)


def test_jumps_too_far_for_one_instruction_arrive():
    """500 rules of which no two are alike: no conditional jump reaches further than 255 instructions."""
    rules = {
        number: (Case((Check(0, (number,)), Check(1, (7,), mask=15)), fail(number)),) for number in range(500)
    }
    policy = Policy(ARCHITECTURE, rules, fail(4000))
    program = compile_policy(policy)
    assert program.instructions > 2000
    for number in range(501):
        for first, second in ((number, 7), (number, 6), (number + 1, 7)):
            arguments = [first, second, 0, 0, 0, 0]
            expected = judge(policy, ARCHITECTURE, number, arguments, PIDS)
            assert expected == run(program, ARCHITECTURE, number, arguments, PIDS)


def test_a_number_known_at_load_has_its_place_in_the_code():
    policy = Policy(ARCHITECTURE, {1: (Case((Check(0, (Later("own"),)),), ALLOW),)}, KILL)
    program = compile_policy(policy)
    ((offset, name),) = program.slots
    assert "own" == name
    assert (0x15, 0) == struct.unpack_from("=HxxI", program.code, offset - 4)  # JEQ, still 0
    assert ALLOW == run(program, ARCHITECTURE, 1, [7, 0, 0, 0, 0, 0], {"own": 7})
    assert KILL == run(program, ARCHITECTURE, 1, [0, 0, 0, 0, 0, 0], {"own": 7})


def test_calls_allowed_whatever_their_arguments_never_look_at_one():
    """The kernel takes their verdict once, at load (seccomp_cache_prepare), only if that is so."""
    policy = Policy(
        ARCHITECTURE,
        {1: (Case((), ALLOW),), 2: (Case((Check(0, (1,)),), ALLOW),), 3: (Case((), ALLOW),)},
        KILL,
    )
    program = compile_policy(policy)
    assert [ALLOW, ALLOW] == [run(program, ARCHITECTURE, number, [9] * 6, {}) for number in (1, 3)]
    loads = [k for op, _, _, k in struct.iter_unpack("=HBBI", program.code) if op == 0x20]
    assert [4, 0, 16] == loads  # architecture, number, and the one argument of call 2


def test_a_program_larger_than_the_kernel_takes_is_refused():
    rules = {n: (Case((Check(0, (n,)), Check(1, (n,)), Check(2, (n,))), fail(n)),) for n in range(900)}
    with pytest.raises(ValueError, match="the kernel takes 4096 at most"):
        compile_policy(Policy(ARCHITECTURE, rules, KILL))


def test_a_range_that_would_swallow_rules_is_refused():
    with pytest.raises(ValueError, match="a range from 5 would cover rules"):
        compile_policy(Policy(ARCHITECTURE, {7: (Case((), ALLOW),)}, KILL, ((5, KILL),)))


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_value_that_no_comparison_can_have_is_refused(value):
    with pytest.raises(ValueError, match="each must be in 0"):
        compile_policy(Policy(ARCHITECTURE, {7: (Case((Check(0, (value,)),), ALLOW),)}, KILL))
