"""Discovery: what is found, what is broken and why, and that nothing of it is ever imported."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from strategies import manifest
from strategies.content import MAX_PROBLEMS
from strategies.plugins import BUILT_IN, Broken, Found, inspect, scan

CONFIG = {"name": "mine", "version": "1.0.0", "type": "momentum"}


def write(folder: Path, config: object = CONFIG, code: str = "raise SystemExit('imported')\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if code:
        (folder / "strategy.py").write_text(code)
    return folder


def errors(plugin: Found | Broken) -> list[str]:
    assert isinstance(plugin, Broken)
    return [str(problem) for problem in plugin.errors]


def test_a_folder_with_both_files_is_found_with_what_it_says(tmp_path):
    full = {
        **CONFIG,
        "class": "Mine",
        "description": "d",
        "author": "a",
        "parameters": [{"name": "n", "type": "integer", "default": 3}],
        "constraints": ["n > 1"],
        "timeframes": ["60m", "1d"],
        "symbols": ["EUR/USD"],
        "warmup": 50,
    }
    found = inspect(write(tmp_path / "folder", full))
    assert isinstance(found, Found)
    assert (found.reference, found.type, found.class_name) == ("mine@1.0.0", "momentum", "Mine")
    assert (found.timeframes, found.symbols, found.warmup) == (("1h", "1d"), ("EUR/USD",), 50)
    assert found.schema.effective({}) == {"n": 3}
    assert found.built_in is False


def test_nothing_is_imported(tmp_path):
    before = set(sys.modules)
    write(tmp_path / "a", code="import sys; sys.exit('imported')")
    assert list(scan([tmp_path], built_in=False).found) == ["mine@1.0.0"]
    assert set(sys.modules) == before


def test_the_built_in_crossover_is_found_and_sound():
    catalogue = scan([])
    assert catalogue.broken == {}
    found = catalogue.find("moving_average_crossover")
    assert (found.built_in, found.path) == (True, str(BUILT_IN / "moving_average_crossover"))
    assert {n: (p.min, p.max) for n, p in found.schema.parameters.items() if "period" in n} == {
        "fast_period": (5, 50),
        "slow_period": (10, 200),
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, "config.json: is missing"),
        ("{", "config.json: is not JSON"),
        ("[1]", "config.json: holds list, not an object"),
        ('{"name": "a", "name": "b"}', "config.json: is not JSON: the key 'name' stands twice in one object"),
        ('{"warmup": NaN}', "config.json: is not JSON: NaN is no JSON number"),
        ("[" * 100_000, "config.json: is not JSON"),
        ({**CONFIG, "nmae": 1}, "nmae: unknown key; did you mean 'name'?"),
        ({"version": "1"}, "name: is missing"),
        ({**CONFIG, "name": "../etc"}, "name: '../etc' is not allowed"),
        ({**CONFIG, "name": 3}, "name: 3 is not allowed"),
        ({**CONFIG, "version": "one"}, "version: 'one' is not allowed: a version such as 1.0.0"),
        ({**CONFIG, "type": "momentun"}, "type: 'momentun' is no type of strategy"),
        ({**CONFIG, "type": ["custom"]}, "type: ['custom'] is no type of strategy"),
        ({**CONFIG, "class": "a b"}, "class: 'a b' is not allowed"),
        ({**CONFIG, "warmup": -1}, "warmup: -1: expected candles, a whole number from 0 to 5000"),
        ({**CONFIG, "conflate": 0}, "conflate: 0: expected true or false"),
        ({**CONFIG, "warmup": True}, "warmup: True: expected candles"),
        ({**CONFIG, "timeframes": ["soon"]}, "timeframes[0]: timeframe 'soon'"),
        ({**CONFIG, "symbols": ["a|b"]}, "symbols[0]: 'a|b' is no symbol"),
        ({**CONFIG, "symbols": "EURUSD"}, "symbols: 'EURUSD': expected a list"),
        ({**CONFIG, "parameters": [{"name": "n", "type": "int"}]}, "parameters.n.type: 'int' is no type"),
        ({**CONFIG, "description": "x" * 5000}, "description: expected text of at most 4096 characters"),
    ],
)
def test_a_broken_config_is_told_by_key(tmp_path, config, expected):
    assert any(expected in error for error in errors(inspect(write(tmp_path / "a", config))))


def test_all_errors_of_a_folder_come_at_once(tmp_path):
    broken = inspect(write(tmp_path / "a", {"name": "", "type": "x", "parameters": 3, "z": 1}, code=""))
    assert [problem.path for problem in broken.errors] == [
        "strategy.py",
        "z",
        "type",
        "parameters",
        "name",
        "version",
    ]


def test_a_broken_folder_is_reported_and_the_others_are_found(tmp_path):
    write(tmp_path / "bad", "{")
    write(tmp_path / "good")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden").mkdir()
    catalogue = scan([tmp_path], built_in=False)
    assert list(catalogue.found) == ["mine@1.0.0"]
    assert [broken.name for broken in catalogue.broken.values()] == ["bad"]


def test_two_of_one_name_and_version_clash_and_the_first_stands(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    catalogue = scan([tmp_path], built_in=False)
    assert catalogue.found["mine@1.0.0"].path == str(first)
    assert errors(catalogue.broken[str(second)]) == [f"name: mine@1.0.0 is already defined in {first}"]


def test_the_newest_version_is_meant_where_none_is_named(tmp_path):
    for version in ("1.9.0", "1.10.0", "1.10.0-rc1"):
        write(tmp_path / version, {**CONFIG, "version": version})
    catalogue = scan([tmp_path], built_in=False)
    assert catalogue.find("mine").version == "1.10.0"
    assert catalogue.find("mine@1.9.0").version == "1.9.0"
    assert catalogue.find("mine@2") is None
    assert catalogue.near("mien") == "; did you mean 'mine'?"


def test_a_path_may_be_a_strategy_itself_and_one_that_is_not_there_is_broken(tmp_path):
    folder = write(tmp_path / "a")
    assert list(scan([folder], built_in=False).found) == ["mine@1.0.0"]
    [broken] = scan([tmp_path / "nowhere"], built_in=False).broken.values()
    assert errors(broken) == ["cannot be read: No such file or directory"]


def test_a_single_file_is_a_strategy_without_a_schema(tmp_path):
    file = tmp_path / "breakout.py"
    file.write_text("raise SystemExit")
    found = inspect(file)
    assert (found.name, found.schema, found.version) == ("breakout", None, f"0+{found.code_hash[:12]}")
    assert scan([file], built_in=False).find("breakout") == found
    assert errors(inspect(write(tmp_path / "x", code="") / "config.json"))


def test_the_hash_is_of_names_and_contents_and_nothing_else(tmp_path):
    def code_hash() -> str:
        return inspect(folder).code_hash

    folder = write(tmp_path / "a")
    before = code_hash()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"1")
    os.utime(folder / "strategy.py", (1, 1))
    assert code_hash() == before
    (folder / "model").mkdir()
    (folder / "model" / "w.bin").write_bytes(b"1")
    with_model = code_hash()
    assert with_model != before
    (folder / "model" / "w.bin").rename(folder / "model" / "v.bin")
    assert code_hash() not in {before, with_model}


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("key")
    folder = write(tmp_path / "a")
    (folder / "also.py").symlink_to(folder / "strategy.py")
    assert isinstance(inspect(folder), Found)
    (folder / "data").symlink_to(secret)
    assert errors(inspect(folder)) == ["data: is a link that leads out of the folder"]
    (folder / "data").unlink()
    (folder / "up").symlink_to(tmp_path)
    assert errors(inspect(folder)) == ["up: is a link that leads out of the folder"]


def test_what_is_no_file_is_not_called_missing(tmp_path):
    folder = write(tmp_path / "a")
    for name in ("config.json", "strategy.py"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    expected = ["config.json: is no regular file", "strategy.py: is no regular file"]
    assert errors(inspect(folder)) == expected


def test_of_a_folder_that_is_no_strategy_at_all_not_every_file_is_told(tmp_path):
    for at in range(100):
        (tmp_path / f"{at:03}").symlink_to("/etc/passwd")
    assert errors(inspect(tmp_path)) == ["config.json: is missing", "strategy.py: is missing"]
    write(tmp_path)
    assert len(errors(inspect(tmp_path))) == MAX_PROBLEMS


def test_the_config_may_not_be_a_link_out_either(tmp_path):
    outside = tmp_path / "config.json"
    outside.write_text(json.dumps(CONFIG))
    folder = write(tmp_path / "a", None)
    (folder / "config.json").symlink_to(outside)
    assert "config.json: is a link that leads out of the folder" in errors(inspect(folder))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    folder = write(tmp_path / "a")
    os.mkfifo(folder / "pipe")
    assert errors(inspect(folder)) == ["pipe: is no regular file"]


def test_a_rescan_tells_what_changed(tmp_path):
    write(tmp_path / "kept", {**CONFIG, "name": "kept"})
    write(tmp_path / "edited", {**CONFIG, "name": "edited"})
    gone = write(tmp_path / "gone", {**CONFIG, "name": "gone"})
    before = scan([tmp_path], built_in=False)
    (tmp_path / "edited" / "strategy.py").write_text("pass")
    (gone / "config.json").write_text("{")
    write(tmp_path / "fresh", {**CONFIG, "name": "fresh"})
    changes = scan([tmp_path], built_in=False).changes_since(before)
    assert (changes.added, changes.removed) == (("fresh@1.0.0",), ("gone@1.0.0",))
    assert (changes.changed, changes.broken) == (("edited@1.0.0",), (str(gone),))
    assert not before.changes_since(before)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_broken_and_says_so(tmp_path):
    folder = write(tmp_path / "a")
    (folder / "strategy.py").chmod(0)
    assert errors(inspect(folder)) == ["strategy.py: Permission denied"]


def test_a_description_that_cannot_be_looked_at_is_broken_and_keeps_no_other_from_being_found(
    tmp_path, monkeypatch
):
    for name in ("bad", "good"):
        write(tmp_path / name, {"name": name, "version": "1"})
    facts = manifest.facts

    def fails(raw, problems):
        if raw["name"] == "bad":
            raise OverflowError("of a kind that nobody thought of")
        return facts(raw, problems)

    monkeypatch.setattr(manifest, "facts", fails)
    found = scan([tmp_path], built_in=False)
    assert [*found.found] == ["good@1"]
    [broken] = found.broken.values()
    assert "OverflowError: of a kind that nobody thought of" in str(broken.errors[0])
