"""``stratd keys``: made, listed, taken back."""

from __future__ import annotations

import pytest

from tests.supervisor.fake_access import KEY

pytestmark = pytest.mark.system


def test_a_new_key_is_alone_on_stdout_so_that_it_can_be_kept(served, stratd, daemon):
    ended = stratd("keys create --scope read --scope trade --account demo --expires 90d --name bot")
    assert (ended.code, ended.out) == (0, f"{KEY}\n")
    assert "read, trade; keep it, it is shown only now" in ended.err
    (_, request, _), *_ = daemon.calls
    assert (request.scopes, request.account, request.expires_in) == (["read", "trade"], "demo", 90 * 86_400)


def test_a_key_may_read_if_nothing_else_is_said(served, stratd):
    assert stratd("keys create --json").json["scopes"] == ["read"]


def test_what_is_no_scope_and_no_span_is_told_at_once(served, stratd, daemon):
    ended = stratd("keys create --scope everything --expires soon")
    assert (ended.code, ended.out, daemon.calls) == (2, "", [])
    assert "everything" in ended.err
    assert "as in 250ms or 1m30s" in ended.err


def test_keys_are_listed_without_their_secrets(served, stratd):
    assert stratd("keys list").out == "no keys; 'stratd keys create' makes one\n"
    stratd("keys create --name bot --account demo")
    ended = stratd("keys list")
    assert ended.code == 0
    assert ended.out.splitlines()[1].split() == ["000000000000", "bot", "read", "demo", "-", "-"]
    assert KEY not in ended.out + stratd("keys list --json").out


def test_a_key_is_taken_back_and_an_unknown_one_is_4(served, stratd, daemon):
    stratd("keys create")
    assert stratd("keys revoke 000000000000").out == "000000000000: revoked\n"
    assert daemon.issued == {}
    ended = stratd("keys revoke 000000000000")
    assert (ended.code, ended.err) == (
        4,
        "stratd: no key '000000000000' (`stratd keys list` lists what there is)\n",
    )
