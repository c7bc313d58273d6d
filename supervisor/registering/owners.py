"""Whose registered code is: who sees and runs it, who reads it, who changes it. Pure.

A name has one owner, the account of the key that registered it first, and every version of it is that
account's; a name that a caller without an account registered is everybody's, to run and to read. Callers
without an account (the Unix socket, unbound keys) may everything; for those of another account what has an
owner does not exist. What was registered before names had owners is everybody's to run, as it was then, but
read and changed by the account alone that registered it.
"""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.store.code_versions import CodeRecord


def owner_of_next(records: Iterable[CodeRecord], name: str, account: str) -> str:
    """Return the owner of a version of ``name`` that a caller of ``account`` registers ("" is of none)."""
    return next((one.owner for one in records if one.name == name), account)


def sees(record: CodeRecord, account: str) -> bool:
    """Whether callers of ``account`` may list, describe and run it."""
    return not account or record.owner in ("", account)


def reads(record: CodeRecord, account: str) -> bool:
    """Whether callers of ``account`` may read its code."""
    return changes(record, account) or (record.owner == "" and record.account == "")


def changes(record: CodeRecord, account: str) -> bool:
    """Whether callers of ``account`` may add versions, activate, relabel and delete."""
    return not account or account in (record.owner, record.account)
