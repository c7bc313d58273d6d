"""What was handed in becomes a strategy folder, and its content becomes its version."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from strategies import manifest
from strategies.parameters import Schema
from strategies.plugins import Found, inspect
from supervisor.errors import Invalid
from supervisor.registering.archive import pack
from supervisor.registering.shelf import Shelf
from supervisor.registering.submission import LOADER, identifier, of_archive, of_request
from supervisor.schema import CodeRequest

CODE = "from strategies import IStrategy\n"
PYTHON = "3.12.4"


def source(**given_: object):
    return of_request(CodeRequest(**{"name": "mine", "code": CODE, **given_}), python=PYTHON)


def config(submission) -> dict[str, object]:
    return json.loads(submission.files["config.json"])


def test_source_becomes_a_folder_that_the_catalogue_understands(tmp_path):
    submission = source(
        description="d", instruments=["EURUSD"], timeframe="60m", type="momentum", parameters={"n": 3}
    )
    path = Shelf(tmp_path / "shelf").draft(submission.entry, submission.files)
    found = inspect(path)
    assert isinstance(found, Found)
    assert (found.name, found.type, found.description) == ("mine", "momentum", "d")
    assert (found.symbols, found.timeframes) == (("EURUSD",), ("1h",))
    assert found.schema is not None
    assert found.schema.effective({}) == {"n": 3}
    assert found.version == config(submission)["version"]


@pytest.mark.parametrize(
    ("name", "own", "title"),
    [
        ("mine", "mine", ""),
        ("My breakout", "My_breakout", "My breakout"),
        ("Über-Trend (5m)", "Uber-Trend_5m", "Über-Trend (5m)"),
        ("_x", "x", "_x"),
    ],
)
def test_what_people_call_it_becomes_an_id_and_stays_its_title(tmp_path, name, own, title):
    submission = source(name=name)
    found = inspect(Shelf(tmp_path / "shelf").draft(submission.entry, submission.files))
    assert isinstance(found, Found)
    assert (found.name, found.title) == (own, title)


@given(st.text(min_size=1, max_size=64))
def test_an_id_is_made_of_every_name_that_is_taken(name):
    try:
        taken = CodeRequest(name=name, code=CODE).name
    except ValidationError:
        return
    assert manifest.NAME.fullmatch(identifier(taken)), identifier(taken)


def test_a_plain_value_says_the_type_of_its_parameter():
    given_ = {"a": 1, "b": 1.5, "c": True, "d": "x", "e": [1], "f": {"type": "integer", "min": 2}}
    types = {name: one["type"] for name, one in config(source(parameters=given_))["parameters"].items()}
    expected = {"a": "integer", "b": "number", "c": "boolean", "d": "string", "e": "list", "f": "integer"}
    assert types == expected


def test_null_says_no_type():
    with pytest.raises(Invalid, match=r"parameters\.a = null: says no type"):
        source(parameters={"a": None})


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=50), st.integers(0, 9))
def test_the_same_content_is_the_same_version_and_another_one_is_not(code, number):
    one = source(code=code, parameters={"n": number})
    assert one == source(code=code, parameters={"n": number})
    assert config(one)["version"] != config(source(code=code + "#", parameters={"n": number}))["version"]
    assert config(one)["version"] != config(source(code=code, parameters={"n": number + 1}))["version"]


def test_a_zip_keeps_its_authors_version_and_gets_its_hash_behind_it():
    described = {"name": "mine", "version": "1.2.0", "parameters": {}}
    files = {"config.json": json.dumps(described).encode(), "strategy.py": b""}
    version = config(of_archive(pack(files), trial={}, trust=False))["version"]
    assert version.startswith("1.2.0+")
    assert len(version) == len("1.2.0+") + 12


def test_a_description_that_says_something_twice_is_refused():
    twice = b'{"name": "mine", "version": "1", "version": "2"}'
    with pytest.raises(Invalid, match="a key stands twice"):
        of_archive(pack({"config.json": twice, "strategy.py": b""}), trial={}, trust=False)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.txt": b"", "b.txt": b""}, "strategy.py and config.json belong at its top"),
        ({"strategy.py": b"", "b.txt": b""}, "config.json: is missing"),
        ({"strategy.py": b"", "config.json": b"{}"}, "name: is missing"),
        ({"strategy.py": b"", "config.json": b"[" * 100_000}, "config.json: is not JSON"),
        ({"../x": b""}, "leaves the archive"),
    ],
)
def test_a_zip_that_is_no_strategy_says_why(files, said):
    with pytest.raises(Invalid, match=said):
        of_archive(pack(files), trial={}, trust=False)


def test_a_module_alone_has_free_parameters_as_they_were_typed():
    submission = of_archive(pack({"mine.py": b"x"}), trial={"n": "5", "s": "x"}, trust=False)
    assert (submission.entry, submission.files) == ("mine.py", {"mine.py": b"x"})
    assert submission.values(None) == {"n": 5, "s": "x"}


def test_values_of_a_schema_are_checked_by_it():
    assert source(trial={}).values(Schema()) == {}


def test_a_pickle_is_bytes_beside_a_module_of_ours():
    pickled = base64.b64encode(b"\x80\x04N.").decode()
    submission = source(code=None, pickled=pickled, source="class A: ...")
    assert submission.kind == "pickle"
    assert submission.files["strategy.dill"] == b"\x80\x04N."
    assert submission.files["strategy.py"] == LOADER.encode()
    assert submission.files["source.txt"] == b"class A: ..."


def test_a_pickle_of_another_python_is_refused():
    with pytest.raises(Invalid, match=r"python = '3\.11\.2': cells run Python 3\.12"):
        source(code=None, pickled="AAAA", python="3.11.2")
    assert source(code=None, pickled="AAAA", python="3.12.9").kind == "pickle"


def test_what_is_no_base64_is_refused():
    with pytest.raises(Invalid, match="pickled: is not base64"):
        source(code=None, pickled="*")


@pytest.mark.parametrize(
    "given_",
    [
        {"code": None},
        {"pickled": "AAAA"},
        {"name": "../x"},
        {"name": "a\nb"},
        {"name": "策略"},
        {"timeframe": "7x"},
    ],
)
def test_what_cannot_be_meant_is_refused(given_):
    with pytest.raises(ValidationError):
        source(**given_)
