"""The page's modules by themselves, in the browser that they are for: values in, values out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from strategies.schemas import parse
from supervisor.api.routes.page import FOLDER, HEADERS, load
from tests.page.chromium import TIMEOUT

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT)]
Call = Callable[..., Any]
NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


EVALUATE = """async ([module, expression, given]) => {
  const scope = { ...(await import(`/assets/js/${module}`)), ...given };
  return new Function(...Object.keys(scope), `return (${expression})`)(...Object.values(scope));
}"""


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Call]:
    """``call("format.js", "span(x)", x=12)``: what an expression over a module's exports is."""
    assets = load(FOLDER)
    page = browser.new_page()

    def serve(route: Any) -> None:
        name = route.request.url.removeprefix("http://page.test/assets/")
        # Without the policy: what is evaluated here is a test's own text.
        kind = assets[name].media_type if name in assets else HEADERS["x-content-type-options"]
        route.fulfill(body=assets[name].body if name in assets else "", headers={"content-type": kind})

    page.route("http://page.test/**", serve)
    page.goto("http://page.test/")

    def evaluate(module: str, expression: str, **given: Any) -> Any:
        return page.evaluate(EVALUATE, [module, expression, given])

    yield evaluate
    page.close()


def test_a_stream_is_read_the_same_however_it_is_cut(call):
    text = (
        ':hello\r\nid: 1\nevent: signals\ndata: {"a":\ndata: 1}\n\nid: 2\rdata:two\r\r'
        "data\n\nevent: nothing\n\ndata: Ünïcode \u2028 stays\r\n\r\ndata: never ended\n"
    )
    whole = [
        {"id": "1", "event": "signals", "data": '{"a":\n1}'},
        {"id": "2", "event": "message", "data": "two"},
        {"id": "2", "event": "message", "data": ""},
        {"id": "2", "event": "message", "data": "Ünïcode \u2028 stays"},
    ]
    chance = random.Random(6)
    for _ in range(50):
        cuts = sorted(chance.sample(range(1, len(text)), chance.randrange(0, 20)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        read = "((p) => pieces.flatMap((piece) => p.push(piece)))(new SseParser())"
        assert whole == call("sse.js", read, pieces=pieces)


def test_attempts_grow_apart_up_to_ten_seconds(call):
    waits = call("sse.js", "Array.from({ length: 20 }, (_, attempt) => delay(attempt, 0))")
    assert [500, 1000, 2000, 4000, 8000, 10_000] == waits[:6]
    assert 10_000 == max(waits)
    assert 250 == call("sse.js", "delay(0, 1)")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("span(1.54)", "1.5s"), ("span(200)", "3m20s"), ("span(7500)", "2h05m"),
        ("span(385_200)", "4d11h"),
        ("span(null)", NOTHING), ("lag(0.44)", "0.4ms"), ("lag(-3000)", "-3.0s"),
        ("megabytes(27.54)", "27.5 MiB"), ("megabytes(2048)", "2.0 GiB"), ("gain(12.5)", "+12.50"),
        ("gain(-1234.5)", f"{MINUS}1,234.50"),
        ("gain(-0.001)", "0.00"), ("gain(null)", NOTHING), ("amount(0.1 + 0.2)", "0.3"), ("money(0)", "0.00"),
    ],
)  # fmt: skip
def test_figures_read_as_people_write_them(call, expression, text):
    assert text == call("format.js", expression)


def test_profit_is_summed_by_currency_and_unknown_while_a_price_is(call):
    positions = [
        {"currency": "USD", "quantity": 1, "realised": 5.0, "unrealised": 2.0},
        {"currency": "USD", "quantity": 0, "realised": -1.0, "unrealised": None},
        {"currency": "EUR", "quantity": 3, "realised": 5.0, "unrealised": None},
        {"currency": "EUR", "quantity": 3, "realised": 1.0, "unrealised": 1.0},
    ]
    assert [["USD", 6.0], ["EUR", None]] == call("store.js", "profits(positions)", positions=positions)


def test_what_is_old_is_told_from_what_is_lost(call):
    def condition(now, **link):
        known = {"state": "live", "heardAt": 0, "askedAt": 0, "unanswered": False, "refused": "", **link}
        return call("link.js", "condition(link, now)", link=known, now=now)

    assert "live" == condition(19_000)
    assert "stale" == condition(21_000)
    assert "slow" == condition(5_000, state="lost")
    assert "lost" == condition(5_000, state="lost", unanswered=True)
    assert "lost" == condition(13_000, state="lost")
    assert "connecting" == condition(0, state="connecting")
    assert "refused" == condition(5_000, state="lost", unanswered=True, refused="may not look")
    assert "live" == condition(5_000, refused="may not look")


def test_nothing_is_asked_while_the_reader_gives_no_key(call):
    asked = "(async () => { locked.is = quiet; return (await request('/api/v1/status')).status })()"
    caught = f"{asked}.catch((error) => error.status).finally(() => {{ locked.is = false }})"
    assert [200, 401] == [call("api.js", caught, quiet=quiet) for quiet in (False, True)]


SCHEMA = parse([
    {"name": "period", "type": "integer", "default": 14, "min": 2, "max": 200},
    {"name": "size", "type": "number", "required": True, "exclusive_min": 0},
    {"name": "side", "type": "enum", "choices": ["long", "short"], "default": "long"},
    {"name": "wait", "type": "duration", "default": "5m"},
    {"name": "levels", "type": "list", "default": [1, 2]},
    {"name": "eager", "type": "boolean", "default": False},
    {"name": "label", "type": "string", "default": None, "nullable": True},
])  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ({}, {"size": 1.5}),
        ({"period": "21"}, {"size": 1.5, "period": 21}),
        ({"side": '"short"'}, {"size": 1.5, "side": "short"}),
        ({"wait": "90s", "levels": "[3, 4.5]"}, {"size": 1.5, "wait": "90s", "levels": [3, 4.5]}),
        ({"wait": "90"}, {"size": 1.5, "wait": 90}),
        ({"eager": True, "label": "007"}, {"size": 1.5, "eager": True, "label": "007"}),
    ],
)
def test_a_form_of_a_schema_gives_what_the_schema_takes(call, typed, values):
    """And nothing that is as the default has it: a later version's default then holds."""
    collected = call("form.js", FILLED, schema=SCHEMA.json_schema(), typed={"size": "1.5", **typed})
    assert {"values": values, "wrong": []} == collected
    assert () == SCHEMA.check(collected["values"]).problems


FILLED = """(() => {
  const fields = fieldsOf(schema);
  const form = document.createElement("form");
  form.append(...fields.map((field) => fieldset(field, `p-${field.name}`)));
  for (const [name, value] of Object.entries(typed)) {
    const input = form.elements[`parameters.${name}`];
    if (value === true) input.checked = true; else input.value = value;
  }
  return collect(form, fields);
})()"""


def test_a_parameter_may_be_called_as_anything_of_the_form_is(call):
    """As a field beside it (`mode`), or as what every form and its collection have (`length`, `item`)."""
    names = ["mode", "id", "length", "item", "namedItem", "action", "elements", "submit"]
    schema = parse([{"name": name, "type": "integer", "default": 1} for name in names]).json_schema()
    form = FILLED.replace(
        "append(", "append(Object.assign(document.createElement('input'), { name: 'mode' }), "
    )
    values = call("form.js", form, schema=schema, typed=dict.fromkeys(names, "2"))
    assert {"values": dict.fromkeys(names, 2), "wrong": []} == values


@pytest.mark.parametrize(
    ("typed", "word"),
    [({"period": "many"}, "is no number"), ({"period": "1.5"}, "no whole"), ({"size": ""}, "is needed")],
)
def test_what_no_schema_could_take_is_told_at_once(call, typed, word):
    wrong = call("form.js", FILLED, schema=SCHEMA.json_schema(), typed={"size": "1.5", **typed})["wrong"]
    assert 1 == len(wrong)
    assert word in wrong[0]
    assert next(iter(typed)) in wrong[0]


def test_lines_of_a_log_that_were_shown_are_not_shown_again_nor_is_any_left_out(call):
    """Also where several were written at once, and where the last that was shown is no longer kept."""
    written = [(1, "a"), (2, "b"), (2, "c"), (3, "b")]
    lines = [{"at": at, "stream": "out", "text": text} for at, text in written]
    shown = [call("logs.js", "behind(lines, last)", lines=lines, last=last) for last in [None, *lines]]
    assert [lines, lines[1:], lines[2:], lines[3:], []] == shown
    lost = {"at": 2, "stream": "out", "text": "gone"}
    assert lines[3:] == call("logs.js", "behind(lines, last)", lines=lines, last=lost)


def test_a_word_to_be_typed_is_taken_literally(call):
    for word in ["a.b", "desk-1", "x_y", "(all)", "a|b"]:
        matches = "new RegExp(`^(?:${literally(word)})$`, 'v').test(said)"
        assert call("dialogs.js", matches, word=word, said=word), word
        assert not call("dialogs.js", matches, word=word, said=word.replace(".", "x") + "x"), word


def test_marks_stand_on_the_candle_that_they_happened_in(call):
    candles = [
        {"open_time": at * 10**9, "open": 1, "high": 3, "low": 1, "close": 2.25} for at in (100, 110, 120)
    ]
    signal = {"seq": 1, "intent": "enter_long", "verdict": "accepted", "data_as_of": 119 * 10**9}
    early = {"seq": 2, "intent": "exit_long", "verdict": "rejected", "data_as_of": 99 * 10**9}
    trade = {"seq": 3, "at": 121 * 10**9, "price": 2.0}
    found = call(
        "chart.js",
        "((times) => marks(times, signals, trades, { up: 'u', down: 'd', fill: 'f', soft: 's' })"
        ".map((mark) => [times.indexOf(mark.time), mark.shape, mark.color]))"
        "(bars(candles).map((bar) => bar.time))",
        candles=candles, signals=[signal, early], trades=[trade, {**trade, "seq": 4, "at": 140 * 10**9}],
    )  # fmt: skip
    assert [[1, "arrowUp", "u"], [2, "circle", "f"]] == found, "what has no candle yet has no mark"
    assert 2 == call("chart.js", "digits(candles)", candles=json.loads(json.dumps(candles)))
