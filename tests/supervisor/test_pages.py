"""Pages, cursors and entity tags: pure but for the request that carries them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from supervisor.api.etags import check, matches, tag_of
from supervisor.api.pages import Page, decode, encode
from supervisor.errors import Invalid, Stale
from tests.supervisor.fake_daemon import make_row

keys = st.one_of(st.integers(-(2**63), 2**63), st.text(max_size=40))


@given(keys)
def test_a_cursor_says_the_key_that_it_was_made_of(key):
    assert decode(encode(key)) == key


@given(st.text(min_size=1, max_size=30))
def test_anything_else_is_one_clear_line(text):
    try:
        key = decode(text)
    except Invalid as error:
        line = str(error)
    else:
        line = f"is none that a page of this list has named, but for {encode(key)}"
    assert "is none that a page of this list has named" in line
    assert line.startswith("cursor = ") or line.endswith(text)


def page(query: str, response: Response, limit: int | None = None, cursor: str | None = None) -> Page:
    scope = {"type": "http", "path": "/things", "query_string": query.encode(), "headers": [],
             "server": ("x", 80), "scheme": "http"}  # fmt: skip
    return Page(Request(scope), response, limit, cursor)


@given(st.sets(st.integers(0, 10_000)), st.integers(1, 7), st.booleans())
def test_pages_one_after_the_other_are_the_whole_list(numbers, limit, descending):
    whole = sorted(numbers, reverse=descending)
    seen, cursor = [], None
    for _ in range(len(whole) // limit + 2):
        response = Response()
        one = page("", response, limit, cursor)
        seen += one.of(whole, key=lambda number: number, descending=descending)
        link = response.headers.get("Link")
        if link is None:
            break
        assert link.endswith('>; rel="next"')
        cursor = parse_qs(urlsplit(link[1:].partition(">")[0]).query)["cursor"][0]
    assert (seen, link) == (whole, None)


def test_the_next_page_keeps_what_else_was_asked_for():
    response = Response()
    assert page("limit=1&account=a%20b", response, 1).of(["x", "y"], key=str) == ["x"]
    assert response.headers["Link"] == f'</things?limit=1&account=a+b&cursor={encode("x")}>; rel="next"'


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(Invalid, match="of another list"):
        page("", Response(), 1, encode(3)).of(["x"], key=str)


def test_a_tag_stands_for_what_is_set_and_not_for_what_is_counted():
    row = make_row("eurusd")
    assert tag_of(row.model_copy(update={"ticks": 1, "cpu_percent": 9.0})) == tag_of(row)
    assert tag_of(row.model_copy(update={"mode": "live"})) != tag_of(row)


def test_if_match_is_a_strong_comparison():
    assert matches('"a"', '"a"')
    assert matches('"x", "a"', '"a"')
    assert matches(" * ", '"a"')
    assert not matches('W/"a"', '"a"')
    assert not matches('"b"', '"a"')
    assert not matches("a", '"a"')


def test_what_changed_since_it_was_read_is_not_changed_again():
    row = make_row("eurusd")
    check(None, row)
    check(tag_of(row), row)
    with pytest.raises(Stale, match="read it again"):
        check(tag_of(row), row.model_copy(update={"mode": "live"}))
