"""The database of a service, found for root who works on its state directory."""

from __future__ import annotations

import pytest

from cli.service.credstore import database_of

URL = "sqlite:////var/lib/stratd/other.db"


@pytest.fixture
def found(tmp_path):
    (tmp_path / "credstore").mkdir()
    (tmp_path / "credstore" / "stratd-fx.database_url").write_text(f"{URL}\n")

    def ask(name, **environ):
        states = tmp_path / "lib"
        return database_of(states / name, environ, tmp_path / "credstore", states)

    return ask


def test_it_is_that_of_the_unit_whose_state_directory_it_is(found):
    assert {"DATABASE_URL": URL} == found("stratd-fx")
    assert {} == found("stratd"), "which was given none"


def test_a_directory_of_no_unit_has_none(found):
    assert {} == found("deeper/stratd-fx")


@pytest.mark.parametrize("name", ["DATABASE_URL", "STRATD_DATABASE_URL", "CREDENTIALS_DIRECTORY"])
def test_what_the_caller_says_wins(found, name):
    assert {} == found("stratd-fx", **{name: "/elsewhere"})


def test_an_empty_file_is_as_none(found, tmp_path):
    (tmp_path / "credstore" / "stratd-fx.database_url").write_text("\n")
    assert {} == found("stratd-fx")
