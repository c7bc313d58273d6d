"""How the page and its assets are served, and that they are whole: nothing missing, nothing foreign."""

from __future__ import annotations

import asyncio
import functools
import gzip
import re

import httpx2 as httpx
import pytest

from supervisor.api.app import Guards, build
from supervisor.api.routes.page import FOLDER, FOR_EVER, TYPES, load
from tests.supervisor.fake_daemon import FakeDaemon

CHARTS = "/assets/vendor/lightweight-charts-5.2.1.js"


@functools.cache
def application():
    return build(FakeDaemon(), version="0.1.0", guards=Guards())


def ask(path, method="GET", **headers):
    async def once():
        transport = httpx.ASGITransport(app=application())
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers={"accept-encoding": "identity", **headers})

    return asyncio.run(once())


def test_the_page_is_given_to_whoever_asks():
    answer = ask("/")
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert "<title>stratd</title>" in answer.text


@pytest.mark.parametrize("path", ["/", CHARTS, "/assets/css/base.css"])
def test_nothing_inline_and_nothing_foreign_may_run(path):
    headers = ask(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert "'none'" == policy["default-src"]
    assert "'self'" == policy["script-src"] == policy["style-src"] == policy["connect-src"]
    assert "'none'" == policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"]
    assert "'script'" == policy["require-trusted-types-for"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "no-referrer" == headers["referrer-policy"]


def test_what_a_browser_has_is_not_sent_again():
    first = ask("/")
    again = ask("/", **{"if-none-match": first.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)
    assert first.headers["etag"] == again.headers["etag"]
    assert "no-cache" == again.headers["cache-control"]
    assert 200 == ask("/", **{"if-none-match": '"another"'}).status_code


def test_a_file_with_its_version_in_its_name_is_kept_for_ever():
    assert FOR_EVER == ask(CHARTS).headers["cache-control"]


def test_what_is_sent_compressed_is_the_same_and_has_a_tag_of_its_own():
    plain, small = ask(CHARTS), ask(CHARTS, **{"accept-encoding": "br, gzip;q=0.5"})
    assert "gzip" == small.headers["content-encoding"]
    assert plain.content == small.content  # the client has opened it
    assert int(small.headers["content-length"]) < len(plain.content) / 2
    assert plain.headers["etag"] != small.headers["etag"]
    assert "accept-encoding" == small.headers["vary"]
    assert "content-encoding" not in ask(CHARTS, **{"accept-encoding": "gzip;q=0, *"}).headers


def test_head_says_what_get_would():
    got, told = ask("/"), ask("/", method="HEAD")
    assert (got.status_code, got.headers["etag"]) == (told.status_code, told.headers["etag"])
    assert b"" == told.content


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/none.js",
        "/assets/../routes/page.py",
        "/assets/%2e%2e/app.py",
        "/assets//etc/passwd",
    ],
)
def test_what_is_no_asset_is_a_problem_document(path):
    answer = ask(path)
    assert (404, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert 404 == answer.json()["status"]


@functools.cache
def load_once():
    return load(FOLDER)


def test_every_file_is_served_and_compressed_ones_open_to_it():
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == set(load_once())
    for name, asset in load_once().items():
        assert asset.media_type in TYPES.values()
        assert not asset.compressed or asset.body == gzip.decompress(asset.compressed), name


def test_every_file_is_reached_from_the_page_and_every_reference_leads_to_one():
    assets = load_once()
    reached, todo = set(), ["index.html"]
    while todo:
        name = todo.pop()
        if name in reached or not name.endswith((".html", ".css", ".js")):
            reached.add(name)
            continue
        reached.add(name)
        todo += references(name, assets[name].body.decode())
    assert set(assets) == reached


def references(name, text):
    if name.startswith("vendor/"):
        return
    for match in re.finditer(r'(?:from|import) "([^"]+)"', text):
        base = (FOLDER / name).parent / match[1]
        yield base.resolve().relative_to(FOLDER).as_posix()
    for match in re.finditer(r'(?:src|href)="/assets/([^"]+)"', text):
        yield match[1]


def test_nothing_of_ours_names_another_host_but_the_authors_of_the_charts():
    found = {
        match
        for name, asset in load_once().items()
        if not name.startswith("vendor/")
        for match in re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", asset.body.decode())
        if not match.startswith("http://www.w3.org/2000/svg")  # a name of a language and no address
    }
    assert {"https://www.tradingview.com/"} == found


def test_no_script_of_ours_makes_html_of_text():
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
    )
    found = [
        name
        for name, asset in load_once().items()
        if not name.startswith("vendor/") and forbidden.search(asset.body.decode())
    ]
    assert [] == found


def test_the_page_has_no_style_or_script_of_its_own_that_the_policy_would_refuse():
    text = load_once()["index.html"].body.decode()
    assert [] == re.findall(r"<style|<script(?![^>]* src=)| style=| on\w+=", text)
