"""A strategy changed by its id, over the real server, with a daemon without processes."""

from __future__ import annotations

import json

import pytest

from supervisor.api.routes.register import MOST_SOURCE_BODY
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.supervisor.test_api import Unix, ask

pytestmark = pytest.mark.system
ONE = "/api/v1/strategies/crossover"
BODY = {"name": "crossover", "code": "import this\n"}


@pytest.fixture(scope="module")
def server():
    """One server for all of these, over a daemon that is made anew for each."""
    with Served(FakeDaemon()) as one:
        yield one


@pytest.fixture
def daemon(server):
    server.daemon.renew()
    return server.daemon


@pytest.fixture
def served(server, daemon):
    return server


def tag(served) -> str:
    connection = Unix(served)
    connection.request("GET", ONE)
    found = connection.getresponse().headers["ETag"]
    connection.close()
    return found


def send(served, method: str, path: str, body: dict, if_match: str = "") -> tuple[int, dict]:
    connection = Unix(served)
    sent = {"Content-Type": "application/json", **({"If-Match": if_match} if if_match else {})}
    connection.request(method, path, json.dumps(body), sent)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_words_are_changed_and_taken_back(served):
    status, view = send(served, "PATCH", ONE, {"title": "Two averages", "type": "momentum"})
    assert (200, "crossover", "Two averages", "momentum") == (status, view["id"], view["name"], view["type"])
    assert view == ask(served, "GET", ONE)[1]
    _, view = send(served, "PATCH", ONE, {"title": None})
    assert ("crossover", "momentum") == (view["name"], view["type"])


def test_words_that_somebody_changed_meanwhile_are_not_overwritten(served):
    read = tag(served)
    assert 200 == send(served, "PATCH", ONE, {"title": "Mine"}, if_match=read)[0]
    status, problem = send(served, "PATCH", ONE, {"title": "Yours"}, if_match=read)
    assert (412, f"changed since it was read (its ETag is {tag(served)} now)") == (
        status,
        problem["title"].partition(":")[0],
    )
    assert 200 == send(served, "PATCH", ONE, {"title": "Yours"}, if_match=tag(served))[0]


def test_a_deployment_that_starts_or_reads_other_symbols_does_not_change_the_tag(served, daemon):
    before = tag(served)
    daemon.rows["a"] = make_row("a", "paused")
    assert before == tag(served)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"parameters": {"fast": 3}}, "parameters cannot be changed, only title, description"),
        ({"code": "import this"}, "code cannot be changed, only title, description and type"),
        ({"titel": "x"}, "titel = 'x': extra inputs are not permitted"),
        ({"title": " "}, "title = ' ': must be one line of text, not blank, of at most 64 characters"),
        ({"title": "two\nlines"}, r"title = 'two\nlines': must be one line of text, not blank"),
        ({"title": "x" * 65}, "must be one line of text, not blank, of at most 64 characters"),
        ({"type": "lucky"}, "type = 'lucky': input should be 'trend_following', 'mean_reversion'"),
    ],
)
def test_what_is_no_word_is_refused_by_its_name(served, body, said):
    status, problem = send(served, "PATCH", ONE, body)
    assert (422, True) == (status, said in problem["title"]), problem["title"]


def test_of_a_strategy_that_is_not_there_no_word_is_changed(served):
    status, problem = send(served, "PATCH", "/api/v1/strategies/crosover", {"title": "x"})
    assert (404, "no strategy 'crosover'; did you mean 'crossover'?") == (status, problem["title"])


def test_a_new_version_is_registered_at_the_address_of_its_id(served, daemon):
    status, made = send(served, "PUT", "/api/v1/strategies/known", {**BODY, "name": "known"})
    assert (200, True) == (status, made["created"])
    assert 201 == send(served, "PUT", ONE, BODY)[0], "its name was not registered before"
    assert ["known", "crossover"] == [one.entry for _, one, _ in daemon.handed_in]


def test_a_name_that_has_another_id_is_refused(served, daemon):
    status, problem = send(served, "PUT", ONE, {**BODY, "name": "My crossover"})
    said = "name = 'My crossover': has the id 'My_crossover', and this is the address of 'crossover'"
    assert (422, said, []) == (status, problem["title"], daemon.handed_in)


def test_a_new_version_over_one_that_somebody_changed_meanwhile_is_not_tried(served, daemon):
    read = tag(served)
    send(served, "PATCH", ONE, {"title": "Mine"})
    assert 412 == send(served, "PUT", ONE, BODY, if_match=read)[0]
    assert 412 == send(served, "PUT", "/api/v1/strategies/none", {**BODY, "name": "none"}, if_match="*")[0]
    assert [] == daemon.handed_in
    assert 201 == send(served, "PUT", ONE, BODY, if_match=tag(served))[0]


def test_source_may_be_as_large_here_as_where_it_is_registered(served):
    large = {**BODY, "code": "#" * (2**20 - 1), "source": "#" * 2**19}
    assert 201 == send(served, "PUT", ONE, large)[0]
    assert 413 == send(served, "PUT", ONE, {**BODY, "source": "#" * MOST_SOURCE_BODY})[0]
    assert 413 == send(served, "PATCH", ONE, {"title": "#" * (2**20 + 1)})[0]
