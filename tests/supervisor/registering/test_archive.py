"""Zips that strangers made: what is taken out of them is theirs, plain and bounded, or nothing is."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.registering import archive
from supervisor.registering.archive import ArchiveRefused, pack, restored, unpack

NAMES = st.lists(st.sampled_from(["a", "b", "strategy.py", "lib", "x.py"]), min_size=1, max_size=4).map(
    "/".join
)
HOSTILE = [
    "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/./b", "C:/x", "c:x", "a\\b", "..\\x", "a\x01b", "",
    "x/" * 20 + "y", "n" * 300,
]  # fmt: skip
KINDS = [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]


def zipped(*entries: tuple[str, bytes] | tuple[str, bytes, int], comment: bytes = b"") -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content, *mode in entries:
            entry = zipfile.ZipInfo("placeholder")
            # Past ZipInfo's own tidying of names: a hostile archive was not made with it.
            entry.filename = entry.orig_filename = name
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            target.writestr(entry, content)
        target.comment = comment
    return into.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        unpack(data)
    return str(caught.value)


def test_files_come_out_as_they_went_in_without_the_folder_around_them():
    data = zipped(
        ("mine/strategy.py", b"code"), ("mine/lib/x.py", b""), ("mine/lib/", b"", stat.S_IFDIR | 0o755)
    )
    assert unpack(data) == {"strategy.py": b"code", "lib/x.py": b""}


def test_a_comment_is_no_part_of_it():
    assert unpack(zipped(("a.py", b"1"), comment=b"c0ffee" * 7)) == {"a.py": b"1"}


def test_what_tools_leave_behind_stays_behind():
    left = [
        (name, b"") for name in ("__MACOSX/a.py", "a/.DS_Store", "__pycache__/a.cpython-312.pyc", "b.pyc")
    ]
    assert unpack(zipped(("a.py", b"1"), *left)) == {"a.py": b"1"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    assert refused(zipped(("good.py", b""), (name, b"x")))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_neither_a_file_nor_a_folder_is_refused(kind):
    said = refused(zipped(("good.py", b""), ("odd", b"/etc/shadow", kind | 0o777)))
    assert said == "odd: is a link" if kind == stat.S_IFLNK else "odd: is neither a file nor a folder"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twin", ["a.py", "A.PY"])
def test_a_name_that_stands_twice_is_refused(twin):
    assert "stands twice" in refused(zipped(("a.py", b"1"), (twin, b"2")))


def test_a_name_that_is_a_file_and_a_folder_is_refused():
    assert refused(zipped(("a", b"1"), ("a/b", b"2"))) == "a: is a file and a folder"


def test_a_bomb_is_refused_by_its_ratio_and_by_its_size():
    assert "more than 200 times" in refused(zipped(("zeros", bytes(2 * 2**20))))
    many = [(f"{number}", bytes(2**20)) for number in range(65)]
    assert "unpacks to 68,157,440 bytes" in refused(zipped(*many))


def test_too_many_entries_are_refused_before_they_are_looked_at(monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", None)
    made = b"".join(b"PK\x01\x02" + bytes(42) for _ in range(5))
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 65_535, 65_535, len(made), 0, 0)
    assert refused(made + end) == "archive: holds 65,535 entries, at most 1,000 are taken"


def test_zip64_is_refused():
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0, 0, 0, 0, 0)
    assert "ZIP64" in refused(b"PK\x06\x07" + bytes(16) + end)


def test_what_says_another_size_than_it_has_is_refused():
    honest = zipped(("a", b"x" * 1000))
    size = struct.pack("<L", 1000)
    lying = honest.replace(size, struct.pack("<L", 10))
    assert lying != honest
    assert "is no zip that can be read" in refused(lying)


def test_encryption_and_other_methods_are_refused():
    data = bytearray(zipped(("a", b"x" * 100)))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert refused(bytes(data)) == "a: is encrypted"
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_LZMA) as target:
        target.writestr("a", b"x")
    assert refused(into.getvalue()) == "a: is packed by another method than deflate"


def test_an_archive_within_is_a_file_that_nobody_opens():
    inner = zipped(("zeros", bytes(2 * 2**20)))
    assert unpack(zipped(("a.py", b"1"), ("data.zip", inner)))["data.zip"] == inner


def test_more_than_is_taken_is_refused_by_its_length_alone():
    assert "at most 16,777,216" in refused(bytes(archive.MAX_PACKED + 1))


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=6))
def test_what_is_packed_is_what_is_restored(files):
    assert restored(pack(files)) == files
    assert pack(dict(reversed(files.items()))) == pack(files)


ENTRIES = st.tuples(
    st.one_of(NAMES, st.sampled_from(HOSTILE), st.text(max_size=20)),
    st.binary(max_size=100),
    st.sampled_from([0, stat.S_IFREG, stat.S_IFDIR, *KINDS]),
)


def plain(name: str) -> bool:
    parts = name.split("/")
    return (
        all(part not in {"", ".", ".."} for part in parts) and not set(name) & {"\\", "\0"} and name[0] != "/"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(st.lists(ENTRIES, max_size=6), st.binary(max_size=30), st.data())
def test_whatever_an_archive_holds_it_is_refused_or_plain_and_bounded(entries, comment, data):
    try:
        made = zipped(*entries, comment=comment)
    except (ValueError, struct.error, UnicodeEncodeError):
        return  # nobody can write that down
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(made) - 1), st.integers(0, 255)), max_size=4))
    torn = bytearray(made)
    for at, byte in flips:
        torn[at] = byte
    try:
        files = unpack(bytes(torn))
    except ArchiveRefused:
        return
    assert all(plain(name) for name in files)
    assert sum(map(len, files.values())) <= archive.MAX_UNPACKED
    assert len(files) <= archive.MAX_FILES


@given(st.binary(max_size=400))
def test_bytes_that_are_no_archive_are_refused(data):
    with pytest.raises(ArchiveRefused):
        unpack(b"PK\x03\x04" + data)
