"""A follower of numbered lines, against a daemon that comes and goes: each line once, and never a hole."""

from __future__ import annotations

import json

from cli.client import Client, DaemonGone
from cli.errors import NO_DAEMON, NOT_FOUND, CommandError
from cli.follow import PAGE, follow
from supervisor.client.calls import daemon, records
from tests.waiting import wait_until


class Connections(Client):
    """Answers one connection after the other: lines, then how it ends."""

    def __init__(self, *scripts: tuple[list[bytes], Exception | None]) -> None:
        self.scripts = list(scripts)
        self.asked: list[dict[str, object]] = []

    def call(self, describe, *args, **how):
        assert (describe, args, how) == (daemon.status, (), {})
        return b'{"event_seq": 40}'

    def lines(self, describe, *args, **query):
        assert (describe, args) == (records.events, ())
        self.asked.append(query)
        lines, end = self.scripts.pop(0)
        yield from lines
        if end is not None:
            raise end


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


GONE = DaemonGone(NO_DAEMON, "gone")
OVER = CommandError(NOT_FOUND, "no such deployment")


def line(seq: int) -> bytes:
    return json.dumps({"seq": seq}).encode() + b"\n"


def followed(client: Connections, *, lines: int = 100, after: int | None = None, wait: float = 60.0):
    """Return the numbers yielded, and the error that ended it."""
    clock, seen = Clock(), []
    came = follow(
        client,
        records.events,
        lines=lines,
        after=after,
        wait=wait,
        newest="event_seq",
        clock=clock,
        sleep=clock.sleep,
    )
    try:
        seen.extend(json.loads(one)["seq"] for one in came)
    except CommandError as error:
        return seen, error
    raise AssertionError("it ended by itself")


def test_after_a_restart_it_goes_on_behind_the_last_number(capsys):
    client = Connections(([line(39), line(40), line(41)], GONE), ([], GONE), ([line(42)], OVER))
    seen, _ = followed(client, lines=2)
    assert seen == [39, 40, 41, 42]
    again = {"after": 41, "n": PAGE, "follow": True}
    assert client.asked == [{"n": 2, "follow": True}, again, again]
    assert capsys.readouterr().err == "stratd: the daemon went away; waiting 60 s for it\n"


def test_what_is_torn_off_is_asked_for_again():
    client = Connections(([line(41), line(42)[:5]], GONE), ([line(42)], OVER))
    seen, _ = followed(client, lines=2)
    assert (seen, client.asked[1]["after"]) == ([41, 42], 41)


def test_where_nothing_came_before_it_went_the_status_says_where_to_go_on():
    client = Connections(([], GONE), ([], OVER))
    followed(client, lines=0)
    assert client.asked == [{"n": 0, "follow": True}, {"after": 40, "n": PAGE, "follow": True}]


def test_one_that_was_cut_off_for_being_slow_asks_again_at_once(capsys):
    client = Connections(([line(41)], None), ([line(42)], OVER))
    followed(client)
    assert client.asked[1]["after"] == 41
    assert capsys.readouterr().err == ""


def test_a_daemon_that_stays_away_is_given_up_after_the_wait():
    client = Connections(*[([], GONE)] * 30)
    _, ended = followed(client, wait=1.9)
    assert (ended, len(client.asked)) == (GONE, 11)
    assert followed(Connections(([], GONE)), wait=0)[1] is GONE


def test_numbers_that_begin_anew_are_taken_as_they_come():
    client = Connections(([line(1), line(2)], GONE), ([], OVER))
    followed(client, after=7000)
    assert [asked["after"] for asked in client.asked] == [7000, 2]


def test_a_real_stream_is_followed_from_a_number(served, daemon):
    lines = follow(Client(served.path), records.events, lines=100, after=3, wait=0, newest="event_seq")
    assert [json.loads(next(lines))["seq"] for _ in range(2)] == [4, 5]
    lines.close()
    wait_until(lambda: daemon.followers == 0, what="the follower forgotten")
