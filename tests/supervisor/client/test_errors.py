"""Every answer that says no becomes one exception, whose line is what the daemon wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import errors as daemon
from supervisor.client import errors
from supervisor.client.errors import Answered, ClientError, of_answer, of_problem
from supervisor.client.retrying import LONGEST, Policy, pause_before
from supervisor.problems import problem_of

words = st.text(min_size=1, max_size=40)
OURS = st.one_of(
    st.builds(daemon.NotFound, words, words, st.lists(words, max_size=3)),
    st.builds(daemon.Refused, words, words),
    st.builds(daemon.Invalid, st.lists(words, min_size=1, max_size=4)),
    st.builds(daemon.Failed, words),
    st.builds(daemon.Unavailable, words),
    st.builds(daemon.Late, words),
    st.builds(daemon.Unauthenticated, words),
    st.builds(daemon.Stale, words),
    st.builds(daemon.Unsupported, words),
)
SAME = {
    daemon.NotFound: errors.NotFound,
    daemon.Refused: errors.Refused,
    daemon.Invalid: errors.Invalid,
    daemon.Failed: errors.Failed,
    daemon.Unavailable: errors.Unavailable,
    daemon.Late: errors.Failed,
    daemon.Unauthenticated: errors.Unauthorized,
    daemon.Stale: errors.Stale,
    daemon.Unsupported: errors.Unsupported,
}


@given(OURS)
def test_an_error_of_the_daemon_is_the_same_one_at_the_other_end(error):
    document = problem_of(error)
    found = of_answer(document.status, document.model_dump_json().encode())
    assert type(found) is SAME[type(error)]
    assert str(found) == document.title == str(error)
    assert (found.status, found.rule) == (document.status, document.rule)
    assert (list(found.near), list(found.errors)) == (document.near, document.errors)


def test_every_error_that_the_daemon_answers_with_has_one_here():
    answered = {kind for kind in vars(daemon).values() if isinstance(kind, type)}
    roots = {daemon.StratdError, daemon.SettingsError}  # the last is of its own start, not of an answer
    assert {one for one in answered if issubclass(one, daemon.StratdError)} - roots == set(SAME)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["type", "title", "status", "detail", "rule", "near", "errors", "request_id"])


@given(st.dictionaries(names, json_values), st.integers(300, 599))
def test_whatever_a_problem_document_says_it_is_one_error_with_its_title(document, status):
    found = of_problem(document, status)
    assert isinstance(found, Answered)
    assert str(found) == (str(document.get("title") or "") or errors.NO_REASON)
    assert found.status == status
    for text in (found.rule, found.detail, found.request_id, *found.near, *found.errors):
        assert isinstance(text, str)


@given(st.binary(max_size=60), st.integers(300, 599), st.none() | st.text(max_size=12))
def test_whatever_else_is_answered_is_an_error_of_one_line_too(body, status, retry_after):
    found = of_answer(status, body, retry_after)
    assert isinstance(found, ClientError)
    assert str(found)


def test_a_route_that_the_daemon_does_not_have_is_another_version():
    body = json.dumps({"type": "about:blank", "title": "Not Found", "status": 404}).encode()
    assert isinstance(of_answer(404, body), errors.OtherVersion)


def test_the_daemon_says_when_to_ask_again():
    limited = of_answer(429, b'{"title": "slower"}', "3")
    assert (type(limited), limited.retry_after) == (errors.Unavailable, 3.0)
    assert of_answer(503, b'{"title": "x"}', "Wed, 21 Oct 2015 07:28:00 GMT").retry_after is None


# ---- asking again ----------------------------------------------------------------------------------
AGAIN = Policy(retries=2)


@pytest.mark.parametrize(
    "error",
    [
        errors.Silent("x"),
        errors.Untrusted("x"),
        errors.Garbled("x"),
        errors.OtherVersion("x"),
        errors.Unsendable("x"),
        errors.Failed({"title": "x"}),
        errors.Refused({"title": "x"}),
        errors.Unavailable({"title": "x"}),
        errors.Unavailable({"title": "x"}, retry_after=LONGEST + 1),
    ],
)
def test_what_would_end_the_same_way_is_not_asked_again(error):
    assert pause_before(1, error, AGAIN, 1.0) is None


@given(st.floats(0, 1), st.integers(1, 2))
def test_who_was_not_reached_is_asked_again_after_a_pause_that_grows_and_is_not_everybodys(chance, retry):
    pause = pause_before(retry, errors.BrokenOff("x"), AGAIN, chance)
    assert pause is not None
    assert 0 <= pause <= 0.2 * 2 ** (retry - 1)


def test_the_pause_that_the_daemon_names_is_kept():
    assert pause_before(1, errors.Unavailable({}, retry_after=2.0), AGAIN, 0.0) == 2.0


def test_it_is_asked_so_often_and_no_more():
    gone = errors.Unreachable("x")
    assert [pause_before(retry, gone, AGAIN, 0.5) is None for retry in (1, 2, 3)] == [False, False, True]
    assert pause_before(1, gone, Policy(retries=0), 0.5) is None
