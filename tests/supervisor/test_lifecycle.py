"""The table of the lifecycle: pure, so every timing is an argument and no test waits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.life import (
    LIVING,
    TRANSIENT,
    Abort,
    Born,
    Breached,
    Close,
    Deferred,
    Denied,
    Direct,
    Due,
    Ended,
    Halt,
    Kill,
    Life,
    Open,
    Pause,
    Policy,
    Prepared,
    Preparing,
    Ready,
    Recover,
    Release,
    Reset,
    Restart,
    Resume,
    Rung,
    Spawn,
    Start,
    State,
    Stop,
    Suspend,
    Terminate,
    Wanted,
    comes_back,
    is_barred,
)
from supervisor.lifecycle import TABLE, ImpossibleEventError, backoff_delay, cause_of, step
from supervisor.store.tables import Standing

POLICY = Policy()


def live_through(life: Life, *events, now: float = 0.0, policy: Policy = POLICY):
    effects = []
    for event in events:
        life, more = step(life, event, now, policy)
        effects += more
    return life, effects


def running(now: float = 0.0) -> Life:
    return live_through(Life(), Start(), Born(1), Ready(1), now=now)[0]


def crash(life: Life, now: float, policy: Policy = POLICY, **how) -> Life:
    how = {"cause": "signal", "detail": "signal 9", **how}
    return step(life, Ended(life.instance, **how), now, policy)[0]


def revive(life: Life, now: float, policy: Policy = POLICY) -> Life:
    """From backoff to running again."""
    life, effects = step(life, Due(life.timer), now, policy)
    assert effects == [Spawn(life.generation)]
    return live_through(life, Born(life.instance), Ready(life.instance), now=now, policy=policy)[0]


def test_start_goes_through_starting_and_warming_to_running():
    life, effects = step(Life(), Start("ann", "morning"), 5.0, POLICY)
    assert (life.state, life.wanted, life.generation, life.due) == (State.STARTING, Wanted.RUNNING, 1, 65.0)
    assert (life.actor, life.reason, life.since) == ("ann", "morning", 5.0)
    assert effects == [Spawn(1)]
    life, effects = step(life, Born(1), 6.0, POLICY)
    assert (life.state, life.due, effects) == (State.WARMING, 65.0, [])
    life, effects = step(life, Ready(1), 7.0, POLICY)
    assert (life.state, life.due, effects) == (State.RUNNING, 37.0, [])


def test_what_it_needs_is_made_first_with_a_time_of_its_own_and_then_the_start_goes_on():
    life, _ = step(Life(), Start(), 0.0, POLICY)
    life, effects = step(life, Preparing(1, 330.0, "installing 2 packages (a, b)"), 1.0, POLICY)
    assert (State.STARTING, 331.0, "installing 2 packages (a, b)") == (life.state, life.due, life.reason)
    assert [] == effects
    life, effects = step(life, Prepared(1), 200.0, POLICY)
    assert (State.STARTING, 260.0, "") == (life.state, life.due, life.reason)
    assert [Spawn(1)] == effects


def test_one_that_was_paused_while_it_waited_for_what_it_needs_starts_held():
    life, effects = live_through(Life(), Start(), Preparing(1, 9.0, "x"), Pause(), Prepared(1))
    assert [Spawn(1), Spawn(1, paused=True)] == effects
    life, effects = live_through(life, Born(1), Ready(1))
    assert State.PAUSED is life.state


def test_what_it_needs_comes_too_late_for_one_that_is_being_stopped():
    life, effects = live_through(Life(), Start(), Preparing(1, 9.0, "x"), Stop(), Prepared(1))
    assert State.STOPPING is life.state
    assert [Spawn(1), Terminate(1, "", POLICY.terminate_grace)] == effects
    life, effects = live_through(life, Ended(1, "operator"), Prepared(1), Preparing(1, 9.0, "x"))
    assert (State.STOPPED, []) == (life.state, effects)


def test_ready_that_overtakes_born_is_enough():
    life, _ = live_through(Life(), Start(), Ready(1), Born(1))
    assert life.state is State.RUNNING


def test_start_of_a_running_one_changes_nothing():
    life = running()
    assert step(life, Start(), 1.0, POLICY) == (life, [])


def test_a_second_start_does_not_begin_a_second_instance():
    _, effects = live_through(Life(), Start(), Start(), Born(1), Start(), Ready(1), Start())
    assert effects == [Spawn(1)]


def test_not_ready_in_time_ends_with_a_stack_and_counts_as_failure():
    life, _ = live_through(Life(), Start(), Born(1))
    life, effects = step(life, Due(life.timer), 60.0, POLICY)
    assert effects == [Terminate(1, "not ready within 60 s", 0.0)]
    ended = Ended(1, "operator")
    assert cause_of(life, ended) == "start_timeout"
    life, _ = step(life, ended, 61.0, POLICY)
    assert (life.state, life.exits) == (State.BACKOFF, (61.0,))


@pytest.mark.parametrize("how", [{"cause": "load_error"}, {"cause": "exit", "exit_code": 64},
                                 {"cause": "exit", "exit_code": 65}])  # fmt: skip
def test_a_load_error_is_permanent(how):
    life = crash(live_through(Life(), Start(), Born(1))[0], 1.0, **how)
    assert (life.state, life.due, life.wanted) == (State.FAILED, None, Wanted.RUNNING)


@pytest.mark.parametrize(
    ("restart", "code", "state"),
    [
        ("on-failure", 0, State.STOPPED),
        ("on-failure", 3, State.BACKOFF),
        ("always", 0, State.BACKOFF),
        ("never", 0, State.STOPPED),
        ("never", 3, State.FAILED),
    ],
)
def test_the_restart_policy_reads_the_exit_code(restart, code, state):
    policy = Policy(restart=restart)
    assert crash(running(), 1.0, policy, cause="exit", exit_code=code).state is state


def test_delays_double_to_the_cap_and_jitter_stays_within_a_quarter():
    policy = Policy(delay_base=1.0, delay_cap=60.0, jitter=0.25)
    assert [backoff_delay(n, 0.5, policy) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_delay(2, 0.0, policy) == 3.0
    assert backoff_delay(2, 1.0, policy) == 5.0
    assert backoff_delay(10**6, 0.5, policy) == 60.0


def test_the_window_counts_every_exit_and_ends_in_quarantine():
    policy = Policy(max_exits=3, window=100.0, stable_time=30.0)
    life, now = running(), 0.0
    for _ in range(3):
        now += 3.0  # outlives nothing: ready every time, and still a crash loop
        life = crash(life, now, policy)
        assert life.state is State.BACKOFF
        now = life.due
        life = revive(life, now, policy)
    life = crash(life, now + 3.0, policy)
    assert (life.state, life.due, life.wanted) == (State.QUARANTINED, None, Wanted.RUNNING)
    assert life.reason.startswith("crash_loop: 4 unplanned exits within 100 s")
    assert life.restarts == 3


def test_exits_outside_the_window_are_forgotten():
    policy = Policy(max_exits=1, window=10.0)
    life = crash(running(), 1.0, policy)
    life = revive(life, life.due, policy)
    assert crash(life, 20.0, policy).exits == (20.0,)


def test_a_stable_run_clears_both_tallies():
    life = revive(crash(running(), 1.0), 2.0)
    assert (life.attempt, life.exits) == (1, (1.0,))
    life, effects = step(life, Due(life.timer), 32.0, POLICY)
    assert (life.attempt, life.exits, life.due, effects) == (0, (), None, [])


def test_what_the_daemon_itself_could_not_start_is_tried_for_as_long_as_it_takes():
    life, now = crash(running(), 0.0), 0.0
    for _ in range(50):
        now = life.due
        life, effects = step(life, Due(life.timer), now, POLICY)
        assert effects == [Spawn(life.generation)]
        life = step(life, Ended(life.instance, "unknown", "full disk", unborn=True), now, POLICY)[0]
        assert (life.state, len(life.exits)) == (State.BACKOFF, int(now <= POLICY.window))
    assert life.due - now == POLICY.delay_cap, "rarely, in the end"


def test_what_began_at_the_present_never_goes_on_from_before_that():
    """Dead before its first checkpoint, it would go on where it was stopped, hours ago."""
    life, _ = step(Life(state=State.STOPPED, generation=4), Start(), 0.0, POLICY)
    for generation in (6, 7):
        life = crash(step(life, Born(life.instance), 1.0, POLICY)[0], 1.0)
        life, _ = step(life, Due(life.timer), life.due, POLICY)
        assert (life.generation, life.begun) == (generation, 5)
    life = crash(live_through(life, Born(7), Ready(7))[0], 100.0)
    life, _ = step(Standing.of(life).life(), Recover(unobserved=True), 0.0, POLICY)
    assert (life.generation, life.begun) == (8, 5), "the next daemon knows it, too"


def test_start_leaves_quarantine_but_keeps_the_tally_and_reset_clears_it():
    life = replace(crash(running(), 1.0, Policy(max_exits=0)), attempt=9)
    assert life.state is State.QUARANTINED
    started, effects = step(life, Start(), 2.0, POLICY)
    assert (started.exits, effects) == ((1.0,), [Spawn(2)])
    reset, effects = step(life, Reset(), 2.0, POLICY)
    assert (reset.state, reset.exits, reset.attempt, effects) == (State.STOPPED, (), 0, [])


def test_the_ladder_takes_every_rung_at_its_deadline():
    life, effects = step(running(), Stop("ann", "lunch"), 10.0, POLICY)
    assert (life.state, life.wanted, life.due) == (State.STOPPING, Wanted.STOPPED, 15.0)
    assert effects == [Direct(1, "stop", "lunch")]
    seen = []
    for _ in range(6):
        life, effects = step(life, Due(life.timer), life.due, POLICY)
        seen += [(life.rung, life.due, *effects)]
    assert seen == [
        (Rung.TERMINATE, 19.0, Terminate(1, "lunch", 3.0)),
        (Rung.ABORT, 20.0, Abort(1)),
        (Rung.KILL, 22.0, Kill(1)),
        (Rung.KILL_CELL, 24.0, Kill(1, whole=True)),
        (Rung.STUCK, 26.0, Kill(1, whole=True)),
        (Rung.STUCK, 28.0, Kill(1, whole=True)),
    ]
    life, effects = step(life, Ended(1, "signal"), 29.0, POLICY)
    assert (life.state, life.due, life.instance, effects) == (State.STOPPED, None, 0, [])
    assert (life.actor, life.reason) == ("ann", "lunch")


def test_stop_now_kills_and_escalates_a_stop_under_way():
    _, effects = step(running(), Stop(at_once=True), 0.0, POLICY)
    assert effects == [Kill(1)]
    life, _ = step(running(), Stop(), 0.0, POLICY)
    assert step(life, Stop(), 1.0, POLICY) == (life, [])
    life, effects = step(life, Stop(at_once=True), 1.0, POLICY)
    assert (life.rung, effects) == (Rung.KILL, [Kill(1)])
    assert step(life, Stop(at_once=True), 1.0, POLICY) == (life, [])


def test_stop_before_it_is_ready_goes_to_the_warden():
    life, _ = step(Life(), Start(), 0.0, POLICY)
    _, effects = step(life, Stop(reason="no"), 0.0, POLICY)
    assert effects == [Terminate(1, "no", 3.0)]


def test_start_during_a_slow_stop_waits_for_the_end():
    life, effects = live_through(running(), Stop(), Start())
    assert (life.state, life.wanted) == (State.STOPPING, Wanted.RUNNING)
    assert Spawn(2) not in effects
    life, effects = step(life, Ended(1, "operator"), 4.0, POLICY)
    assert (life.state, effects) == (State.STARTING, [Spawn(2)])


def test_stop_in_backoff_is_immediate_and_its_timer_is_dead():
    life = crash(running(), 1.0)
    armed = life.timer
    life, _ = step(life, Stop(), 1.5, POLICY)
    assert (life.state, life.wanted, life.due) == (State.STOPPED, Wanted.STOPPED, None)
    assert step(life, Due(armed), 2.0, POLICY) == (life, [])


def test_restart_ends_one_instance_and_begins_the_next_as_it_was_wanted():
    life, effects = live_through(running(), Pause(), Restart(), Ended(1, "operator"))
    assert (life.state, life.wanted) == (State.STARTING, Wanted.PAUSED)
    assert effects[-1] == Spawn(2, paused=True)
    assert life.exits == ()


def test_pause_and_resume_are_idempotent_and_tell_the_engine_once():
    life, effects = live_through(running(), Pause(reason="news"), Pause(), Resume(), Resume())
    assert (life.state, life.wanted) == (State.RUNNING, Wanted.RUNNING)
    assert effects == [Direct(1, "pause", "news"), Direct(1, "resume", "")]


def test_pause_before_ready_is_paused_when_ready():
    life, effects = live_through(Life(), Start(), Pause(), Ready(1))
    assert life.state is State.PAUSED
    assert effects == [Spawn(1), Direct(1, "pause", "paused before it was ready")]


def test_resume_before_ready_opens_the_gate_that_birth_shut():
    life, effects = live_through(Life(wanted=Wanted.PAUSED), Recover(), Resume(), Ready(1))
    assert life.state is State.RUNNING
    assert effects == [Spawn(1, paused=True), Direct(1, "resume", "resumed before it was ready")]


def test_pause_and_resume_never_start_what_was_stopped():
    for life in (Life(), Life(state=State.STOPPED), live_through(running(), Stop())[0]):
        for verb in (Pause(), Resume()):
            assert step(life, verb, 0.0, POLICY) == (life, [])


def test_a_crash_while_paused_comes_back_paused():
    life = crash(live_through(running(), Pause())[0], 1.0)
    _, effects = step(life, Due(life.timer), life.due, POLICY)
    assert effects == [Spawn(2, paused=True)]


@pytest.mark.parametrize("cause", ["memory_quota", "cpu_quota"])
def test_a_broken_quota_kills_and_counts(cause):
    life, effects = step(running(), Breached(1, cause, "too much"), 1.0, POLICY)
    assert effects == [Kill(1)]
    ended = Ended(1, "signal", "signal 9")
    assert cause_of(life, ended) == cause
    assert step(life, ended, 1.1, POLICY)[0].state is State.BACKOFF


def flooded(life: Life) -> Life:
    life, effects = step(life, Breached(life.instance, "flood", "refused for 10 s"), 1.0, POLICY)
    assert effects == [Kill(life.instance)]
    return life


@pytest.mark.parametrize("meanwhile", [(), (Start(),), (Restart(),), (Halt(),), (Pause(),), (Reset(),)])
def test_a_flood_kills_at_once_and_quarantines_whatever_comes_meanwhile(meanwhile):
    life, _ = live_through(flooded(running()), *meanwhile, now=1.1)
    ended = Ended(1, "signal", "signal 9")
    assert cause_of(life, ended) == "flood"
    life, effects = step(life, ended, 1.2, POLICY)
    assert (life.state, life.reason, life.due) == (State.QUARANTINED, "flood: refused for 10 s", None)
    assert effects == []
    assert not comes_back(life)


def test_what_flooded_the_gate_stays_set_aside_until_an_operator_resets_it():
    life = crash(flooded(running()), 1.2)
    assert live_through(life, Recover(), now=2.0)[1] == []
    life, _ = step(life, Reset(), 3.0, POLICY)
    assert (life.state, life.wanted) == (State.STOPPED, Wanted.STOPPED)
    assert step(life, Start(), 4.0, POLICY)[1] == [Spawn(2)]


def test_what_is_stopped_while_it_is_ended_for_a_flood_stays_stopped():
    life, _ = live_through(flooded(running()), Stop(), Ended(1, "signal", "signal 9"), now=1.2)
    assert (life.state, life.wanted) == (State.STOPPED, Wanted.STOPPED)


def test_the_daemon_stopping_keeps_what_is_wanted():
    life, effects = live_through(running(), Halt(), Ended(1, "shutdown"))
    assert (life.state, life.wanted) == (State.STOPPED, Wanted.RUNNING)
    assert effects == [Direct(1, "stop", "the daemon stops")]
    life, _ = live_through(crash(running(), 1.0), Halt())
    assert (life.state, life.wanted, life.due) == (State.STOPPED, Wanted.RUNNING, None)


def test_recovery_begins_only_what_was_wanted():
    assert step(Life(wanted=Wanted.RUNNING, generation=7), Recover(), 0.0, POLICY)[1] == [Spawn(8)]
    assert step(Life(wanted=Wanted.PAUSED), Recover(), 0.0, POLICY)[1] == [Spawn(1, paused=True)]
    assert step(Life(), Recover(), 0.0, POLICY)[1] == []
    for state in (State.FAILED, State.QUARANTINED):
        assert step(Life(state=state, wanted=Wanted.RUNNING), Recover(), 0.0, POLICY)[1] == []


@pytest.mark.parametrize("wanted", [Wanted.RUNNING, Wanted.PAUSED])
def test_an_end_that_nobody_saw_counts_as_a_failure_and_is_followed_by_a_start_at_once(wanted):
    left = Life(state=State.STOPPED, wanted=wanted, generation=3, restarts=1)
    life, effects = step(left, Recover(unobserved=True), 9.0, POLICY)
    assert effects == [Spawn(4, paused=wanted is Wanted.PAUSED)]
    assert (life.restarts, life.attempt, life.exits) == (2, 1, (9.0,))
    life, effects = step(left, Recover(), 9.0, POLICY)
    assert (life.restarts, life.attempt, life.exits) == (1, 0, ())


def test_an_end_that_nobody_saw_starts_nothing_that_is_never_to_be_restarted_or_was_stopped():
    never = replace(POLICY, restart="never")
    left = Life(state=State.STOPPED, wanted=Wanted.RUNNING, generation=3)
    life, effects = step(left, Recover(unobserved=True), 9.0, never)
    assert (life.state, effects) == (State.FAILED, [])
    stopped = Life(state=State.STOPPED, generation=3)
    assert step(stopped, Recover(unobserved=True), 9.0, POLICY) == (stopped, [])


def test_what_there_is_no_room_for_stays_as_it_is_and_says_why():
    left = Life(state=State.STOPPED, wanted=Wanted.RUNNING, generation=3)
    life, effects = step(left, Deferred(reason="refused by max_concurrent"), 9.0, POLICY)
    assert (life.state, life.wanted, effects) == (State.STOPPED, Wanted.RUNNING, [])
    assert life.reason == "refused by max_concurrent"
    assert step(life, Start(), 10.0, POLICY)[1] == [Spawn(4)]


LOST, BACK = Suspend("main", "feed main is lost"), Release("main", "feed main is back")


def test_one_whose_feed_is_lost_is_paused_and_goes_on_when_it_is_back():
    life, effects = step(running(), LOST, 1.0, POLICY)
    assert (life.state, life.wanted, life.reason) == (State.PAUSED, Wanted.RUNNING, "feed main is lost")
    assert effects == [Direct(1, "pause", "feed main is lost")]
    assert step(life, LOST, 2.0, POLICY) == (life, [])
    assert step(life, Release("other", ""), 2.0, POLICY) == (life, [])
    life, effects = step(life, BACK, 3.0, POLICY)
    assert (life.state, life.suspended) == (State.RUNNING, "")
    assert effects == [Direct(1, "resume", "feed main is back")]


def test_what_an_operator_wants_comes_before_what_a_feed_does():
    life, _ = live_through(running(), LOST, Pause())
    assert (life.state, life.wanted) == (State.PAUSED, Wanted.PAUSED)
    life, effects = step(life, BACK, 3.0, POLICY)
    assert (life.state, effects) == (State.PAUSED, []), "paused by an operator meanwhile"
    life, effects = live_through(running(), LOST, Resume())
    assert (life.state, life.suspended, effects[-1].verb) == (State.RUNNING, "", "resume")
    stopped, _ = live_through(running(), LOST, Stop(), Ended(1, "exit"))
    assert (stopped.state, stopped.suspended) == (State.STOPPED, "")


def test_one_that_dies_without_its_feed_comes_back_paused_until_the_feed_does():
    life = crash(live_through(running(), LOST)[0], 1.0)
    life, effects = step(life, Due(life.timer), life.due, POLICY)
    assert effects == [Spawn(2, paused=True)]
    life, _ = live_through(life, Born(2), Ready(2))
    assert life.state is State.PAUSED
    assert step(life, BACK, 9.0, POLICY)[0].state is State.RUNNING
    life = crash(live_through(running(), LOST)[0], 1.0)
    life, _ = step(life, BACK, 1.5, POLICY)
    assert step(life, Due(life.timer), life.due, POLICY)[1] == [Spawn(2)]


def test_the_next_daemon_knows_for_want_of_which_feed_it_is_paused():
    suspended, _ = step(running(), LOST, 1.0, POLICY)
    halted, _ = live_through(suspended, Halt(), Ended(1, "shutdown"))
    waiting, _ = live_through(crash(suspended, 2.0), Halt())
    for left in (suspended, halted, waiting):  # the first of a daemon that was killed
        life, effects = step(Standing.of(left).life(), Recover(), 0.0, POLICY)
        assert (life.wanted, effects) == (Wanted.RUNNING, [Spawn(2, paused=True)])
        life, _ = live_through(life, Born(2), Ready(2))
        assert life.state is State.PAUSED
        assert step(life, BACK, 9.0, POLICY)[1] == [Direct(2, "resume", "feed main is back")]
        life, effects = live_through(Standing.of(left).life(), BACK, Recover())
        assert effects == [Spawn(2)], "back before it was begun again"


def test_one_that_is_at_rest_is_not_suspended_nor_begins_so():
    for life in (Life(), Life(state=State.FAILED, wanted=Wanted.RUNNING, generation=1, suspended="main")):
        assert step(step(life, BACK, 1.0, POLICY)[0], Start(), 2.0, POLICY)[1][0].paused is False
        assert step(step(life, LOST, 1.0, POLICY)[0], Start(), 2.0, POLICY)[1][0].paused is False


NIGHT = Close("stop", "outside its schedule until Mon 09:00 UTC")
LUNCH = Close("pause", "outside its schedule until Mon 13:00 UTC")
MORNING = Open("its schedule is open")
CLOSED_STATES = {State.REGISTERED, State.STOPPING, State.STOPPED, State.FAILED, State.QUARANTINED}


def test_outside_its_schedule_it_is_ended_and_begins_at_the_present_when_that_opens():
    life, effects = step(running(), NIGHT, 1.0, POLICY)
    assert (life.state, life.wanted, effects) == (
        State.STOPPING, Wanted.RUNNING, [Direct(1, "stop", NIGHT.reason)]
    )  # fmt: skip
    ended = Ended(1, "exit", exit_code=0)
    assert cause_of(life, ended) == "schedule"
    life, effects = step(life, ended, 2.0, POLICY)
    assert (life.state, life.wanted, life.reason, life.due, effects) == (
        State.STOPPED, Wanted.RUNNING, NIGHT.reason, None, []
    )  # fmt: skip
    assert not comes_back(life), "nothing is kept for it: what comes meanwhile is history to it"
    life, effects = live_through(life, MORNING, Recover("schedule", MORNING.reason))
    assert (life.state, life.closed, life.begun, effects) == (State.STARTING, None, 2, [Spawn(2)])


def test_a_pause_outside_its_schedule_ends_with_it_and_not_before():
    life, effects = step(running(), LUNCH, 1.0, POLICY)
    assert (life.state, life.wanted, effects) == (
        State.PAUSED, Wanted.RUNNING, [Direct(1, "pause", LUNCH.reason)]
    )  # fmt: skip
    for word in (Resume(), Start()):
        assert step(life, word, 2.0, POLICY)[0].state is State.PAUSED
    life, effects = step(life, MORNING, 3.0, POLICY)
    assert (life.state, effects) == (State.RUNNING, [Direct(1, "resume", MORNING.reason)])


def test_what_an_operator_wants_meanwhile_is_how_it_is_when_the_schedule_opens():
    stopped, _ = live_through(running(), NIGHT, Stop("ann", "enough"), Ended(1, "exit"), MORNING)
    assert (stopped.state, stopped.wanted) == (State.STOPPED, Wanted.STOPPED)
    assert step(stopped, Recover(), 9.0, POLICY)[1] == []
    paused, _ = live_through(running(), LUNCH, Pause(), MORNING)
    assert (paused.state, paused.wanted) == (State.PAUSED, Wanted.PAUSED)
    resumed, _ = live_through(running(), Pause(), LUNCH, Resume(), MORNING)
    assert (resumed.state, resumed.wanted) == (State.RUNNING, Wanted.RUNNING)
    waiting, _ = live_through(running(), NIGHT, Ended(1, "exit"), Stop("ann", "enough"))
    assert (waiting.wanted, waiting.reason, waiting.actor) == (Wanted.STOPPED, "enough", "ann")


@pytest.mark.parametrize("word", [Start(), Restart(), Recover()])
def test_no_word_begins_one_outside_its_schedule_but_it_is_wanted_from_then_on(word):
    wanted = Wanted.RUNNING if isinstance(word, Recover) else Wanted.STOPPED
    life, effects = live_through(Life(wanted=wanted), NIGHT, word)
    assert (life.state, life.wanted, life.reason, effects) == (
        State.REGISTERED, Wanted.RUNNING, NIGHT.reason, []
    )  # fmt: skip
    assert live_through(life, MORNING, Recover())[1] == [Spawn(1)]


def test_one_that_crashes_while_its_schedule_closes_waits_for_it_and_keeps_its_tally():
    life = step(crash(running(), 1.0), NIGHT, 1.1, POLICY)[0]
    assert (life.state, life.due, life.exits, life.reason) == (State.STOPPED, None, (1.0,), NIGHT.reason)
    breached, _ = live_through(running(), Breached(1, "memory_quota"), NIGHT, Ended(1, "signal"))
    assert (breached.state, breached.due, len(breached.exits)) == (State.STOPPED, None, 1)


def test_a_schedule_that_opens_again_while_it_ends_begins_the_next_at_once():
    life, effects = live_through(running(), NIGHT, MORNING, Ended(1, "exit"))
    assert (life.state, effects[-1]) == (State.STARTING, Spawn(2))


def test_a_feed_that_comes_back_outside_the_schedule_leaves_it_paused_and_the_other_way_round():
    life, _ = live_through(running(), LOST, LUNCH, BACK)
    assert life.state is State.PAUSED
    assert step(life, MORNING, 9.0, POLICY)[0].state is State.RUNNING
    life, _ = live_through(running(), LUNCH, LOST, MORNING)
    assert (life.state, life.suspended) == (State.PAUSED, "main")


def test_one_that_is_becoming_ready_outside_its_schedule_is_ended_or_held():
    warming = live_through(Life(), Start(), Born(1))[0]
    life, effects = step(warming, NIGHT, 1.0, POLICY)
    assert (life.state, effects) == (State.STOPPING, [Terminate(1, NIGHT.reason, POLICY.terminate_grace)])
    life, effects = live_through(warming, LUNCH, Ready(1))
    assert life.state is State.PAUSED
    assert effects[-1].verb == "pause"


def test_what_has_failed_stays_failed_through_every_window():
    failed = Life(state=State.QUARANTINED, wanted=Wanted.RUNNING, generation=3, reason="crash_loop")
    life, effects = live_through(failed, NIGHT, MORNING, Recover())
    assert (life.state, life.reason, effects) == (State.QUARANTINED, "crash_loop", [])


def test_the_clock_says_anew_to_the_next_daemon_what_is_closed():
    closed, _ = live_through(running(), NIGHT, Ended(1, "exit"))
    assert Standing.of(closed).life() == Life(
        state=State.STOPPED, wanted=Wanted.RUNNING, generation=1, begun=2
    )  # fmt: skip


def test_news_of_an_older_instance_changes_nothing():
    life = revive(crash(running(), 1.0), 2.0)
    for event in (Born(1), Ready(1), Ended(1, "signal"), Breached(1, "memory_quota")):
        assert step(life, event, 3.0, POLICY) == (life, [])


def test_what_the_host_must_not_run_fails_without_an_instance_and_stays_wanted():
    before = Life(state=State.STOPPED, wanted=Wanted.PAUSED, generation=4)
    life, effects = step(before, Denied(reason="refused by sandbox: no seccomp"), 1.0, POLICY)
    assert (life.state, life.wanted, life.generation, effects) == (State.FAILED, Wanted.PAUSED, 4, [])
    assert (life.reason, life.actor) == ("refused by sandbox: no seccomp", "daemon")
    assert step(life, Start(), 2.0, POLICY)[1] == [Spawn(5)]
    quarantined = Life(state=State.QUARANTINED, reason="crash_loop", generation=4)
    assert step(quarantined, Denied(reason="why"), 1.0, POLICY) == (quarantined, [])


def test_an_impossible_event_raises_and_names_both():
    with pytest.raises(ImpossibleEventError, match="Recover while running"):
        step(running(), Recover(), 0.0, POLICY)


def test_every_state_has_a_row_and_every_verb_meets_every_state():
    assert set(TABLE) == set(State)
    for row in TABLE.values():
        assert {Start, Stop, Pause, Resume, Restart, Reset, Halt} <= set(row)
    for state in LIVING:
        assert {Born, Ready, Ended, Breached, Due} <= set(TABLE[state]) | (
            {Born} if state is State.WARMING else set()
        )


VERBS = st.sampled_from([Start(), Pause(), Resume(), Stop(), Stop(at_once=True), Restart(),
                         Restart(at_once=True), Reset(), Halt(), LOST, BACK, NIGHT, LUNCH,
                         MORNING])  # fmt: skip
WORLD = st.sampled_from(["recover", "preparing", "prepared", "born", "ready", "due", "stale due", "exit 0",
                         "exit 3", "load error", "killed", "breach", "flood"])  # fmt: skip
POLICIES = st.builds(
    Policy, restart=st.sampled_from(["always", "on-failure", "never"]), max_exits=st.integers(0, 3)
)


def happening(word: str, life: Life, chance: float):
    """What the world can say now, or None if it cannot: there is no news without an instance."""
    if word == "due":
        return Due(life.timer) if life.due is not None else None
    if word == "stale due":
        return Due(life.timer - 1)
    if word == "recover":
        return Recover("schedule") if life.state in (State.REGISTERED, State.STOPPED) else None
    if not life.instance:
        return None
    unborn = life.state in {State.STARTING, State.STOPPING}
    return {
        "preparing": Preparing(life.instance, 330.0, "installing") if unborn else None,
        "prepared": Prepared(life.instance) if unborn else None,
        "born": Born(life.instance) if life.state is State.STARTING else None,
        "ready": Ready(life.instance),
        "exit 0": Ended(life.instance, "exit", exit_code=0, chance=chance),
        "exit 3": Ended(life.instance, "exit", exit_code=3, chance=chance),
        "load error": Ended(life.instance, "load_error", exit_code=64),
        "killed": Ended(life.instance, "signal", chance=chance),
        "breach": Breached(life.instance, "memory_quota"),
        "flood": Breached(life.instance, "flood", "refused for 10 s"),
    }[word]


@settings(max_examples=300)
@given(
    script=st.lists(st.one_of(VERBS, WORLD), max_size=60),
    policy=POLICIES,
    chance=st.floats(0, 1, exclude_max=True),
)
def test_no_sequence_of_events_breaks_the_promises(script, policy, chance):
    life, now, alive, stopped_by_operator, prepares = Life(), 0.0, set(), True, 0
    for word in script:
        event = happening(word, life, chance) if isinstance(word, str) else word
        if event is None or (isinstance(event, Prepared) and event.generation != prepares):
            continue
        if isinstance(event, Preparing | Prepared):
            prepares = event.generation if isinstance(event, Preparing) else 0
        now = life.due if isinstance(event, Due) and event.timer == life.timer else now + 0.1
        before, (life, effects) = life, step(life, event, now, policy)
        if isinstance(event, Ended):
            alive.discard(event.generation)
        for effect in effects:
            if isinstance(effect, Spawn):
                again = isinstance(event, Prepared) and effect.generation == before.generation
                assert again or effect.generation > before.generation, "a generation was used twice"
                alive.add(effect.generation)
            else:
                assert effect.generation in alive, "an order to something that does not exist"
        assert len(alive) <= 1, "two instances at once"
        assert alive == ({life.instance} if life.instance else set())
        assert (life.state in LIVING) == bool(life.instance)
        assert life.generation >= before.generation
        assert life.timer >= before.timer
        if life.state in TRANSIENT:
            assert life.due is not None, f"no timer in {life.state}"
        if is_barred(life):
            assert life.state in CLOSED_STATES, "it runs outside its schedule"
        if life.closed is not None:
            assert life.state is not State.RUNNING
        if not isinstance(event, Start | Stop | Pause | Resume | Restart | Reset):
            assert life.wanted is before.wanted, "only an operator says what is wanted"
        if isinstance(event, Stop | Reset | Start | Restart):
            stopped_by_operator = life.wanted is Wanted.STOPPED
        if stopped_by_operator:
            assert life.wanted is Wanted.STOPPED, "something but an operator wants it to run"
            assert not any(isinstance(effect, Spawn) for effect in effects), "stopped did not stay stopped"


def test_only_an_operators_start_begins_at_the_present() -> None:
    backing_off = crash(running(), 1.0)
    assert step(backing_off, Start(), 1.1, POLICY)[0].begun == 1
    assert step(Life(wanted=Wanted.RUNNING, generation=7, begun=3), Recover(), 0.0, POLICY)[0].begun == 3
    assert live_through(running(), Restart(), Ended(1, "operator"))[0].begun == 1
    for at_rest in (State.REGISTERED, State.STOPPED, State.FAILED, State.QUARANTINED):
        life = Life(state=at_rest, generation=3, begun=1)
        assert step(life, Start(), 0.0, POLICY)[0].begun == 4


def test_what_is_wanted_comes_back_unless_it_was_given_up() -> None:
    given = [(state, wanted) for state in State for wanted in Wanted]
    expected = [
        wanted is not Wanted.STOPPED and state not in {State.FAILED, State.QUARANTINED}
        for state, wanted in given
    ]
    assert expected == [comes_back(Life(state=state, wanted=wanted)) for state, wanted in given]
