"""The tape on a real file system: order, limits, damage, a full disk, and kill -9 of a real writer."""

import errno
import os
import random
import resource
import signal as signals
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.store import tape as tape_module
from supervisor.store.tape import Tape, TapeError, TapeGone
from supervisor.store.tape_records import HEAD, pack, resumes, unpack
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "tape"


def everything(tape, at=None, most=1000):
    """Return every frame from ``at`` on, read in small pieces."""
    found = []
    at = tape.begin if at is None else at
    while True:
        frames, at = tape.read(at, most)
        if not frames:
            return found
        found += frames


def segments_of(folder):
    return sorted(folder.glob("*.tape"))


def mangle(path, position, data):
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


# ---- what was appended comes back -----------------------------------------------------------------
def test_a_new_tape_is_empty_and_ours_alone(folder):
    with Tape.open(folder) as tape:
        assert (tape.begin, tape.end, tape.torn, tape.damage) == (0, 0, 0, "")
        assert tape.fresh
        assert ([], 0) == tape.read(0, 1000)
        assert tape.last(b"mark|") is None
        tape.append([b"x"])
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {"identity": 0o600, f"{0:020d}.tape": 0o600} == modes
    assert folder.stat().st_mode & 0o777 == 0o700


def test_frames_come_back_in_order_after_a_restart(folder):
    frames = [b"tick|X|%d" % number for number in range(100)]
    with Tape.open(folder) as tape:
        for number in range(0, 100, 7):
            assert tape.append(frames[number : number + 7]) == tape.end
        identity, end = tape.identity, tape.end
        assert everything(tape) == frames
    with Tape.open(folder) as tape:
        assert (tape.identity, tape.begin, tape.end, tape.torn) == (identity, 0, end, 0)
        assert everything(tape) == frames
        tape.append([b"more"])
        assert everything(tape, end) == [b"more"]


def test_appending_nothing_writes_nothing(folder):
    with Tape.open(folder) as tape:
        assert tape.append([]) == 0
        assert segments_of(folder) == []


def test_an_empty_frame_is_refused_before_anything_is_written(folder):
    with Tape.open(folder) as tape:
        with pytest.raises(ValueError, match="empty frame"):
            tape.append([b"a", b""])
        assert tape.end == 0


def test_all_frames_of_an_append_are_one_write(folder, monkeypatch):
    written = []
    real = os.write
    with Tape.open(folder) as tape:
        monkeypatch.setattr(os, "write", lambda fd, data: written.append(len(data)) or real(fd, data))
        tape.append([b"a" * 100] * 50)
    assert written == [50 * (100 + HEAD)]


def test_a_frame_longer_than_a_piece_is_read_whole(folder):
    with Tape.open(folder) as tape:
        tape.append([b"a", b"b" * 100_000, b"c"])
        assert tape.read(0, 1) == ([b"a"], HEAD + 1)
        assert tape.read(HEAD + 1, 1) == ([b"b" * 100_000], 2 * HEAD + 100_001)
        assert tape.read(0, 50_000)[0] == [b"a"]


def test_a_new_folder_has_a_new_identity(tmp_path):
    with Tape.open(tmp_path / "a") as one, Tape.open(tmp_path / "b") as other:
        assert one.identity > 10**18
        assert one.identity != other.identity


@given(
    batches=st.lists(st.lists(st.binary(min_size=1, max_size=300), max_size=8), max_size=30),
    segment=st.integers(1, 2000),
    most=st.integers(1, 3000),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_appended_comes_back_from_every_boundary(tmp_path_factory, batches, segment, most):
    folder = tmp_path_factory.mktemp("tape")
    with Tape.open(folder, segment=segment) as tape:
        ends = [tape.append(batch) for batch in batches]
    with Tape.open(folder, segment=segment) as tape:
        for index, end in enumerate([0, *ends]):
            rest = [frame for batch in batches[index:] for frame in batch]
            assert everything(tape, end, most) == rest


# ---- segments -------------------------------------------------------------------------------------
def test_a_new_segment_is_announced_and_old_ones_are_dropped(folder):
    with Tape.open(folder, limit=1000, segment=300) as tape:
        begins = []
        for number in range(200):
            if tape.fresh:
                begins.append(tape.end)
                tape.append([b"mark|%d" % number])
            tape.append([b"f" * 50])
            assert tape.end - tape.begin <= 1000 + 300 + 2 * (50 + HEAD)
        assert tape.begin in begins
        assert [int(path.stem) for path in segments_of(folder)] == [b for b in begins if b >= tape.begin]
        assert tape.read(tape.begin, 20)[0][0].startswith(b"mark|")
        with pytest.raises(TapeGone, match=rf"begins at {tape.begin}, after 0$"):
            tape.read(0, 1000)
        begin, end = tape.begin, tape.end
    with Tape.open(folder, limit=1000, segment=300) as tape:
        assert (tape.begin, tape.end) == (begin, end)


def test_a_batch_is_never_split_over_segments(folder):
    with Tape.open(folder, segment=100) as tape:
        tape.append([b"a" * 80])
        tape.append([b"b" * 80] * 5)
        assert tape.fresh
        tape.append([b"c"])
        assert [0, tape.end - HEAD - 1] == [int(path.stem) for path in segments_of(folder)]


def test_the_last_mark_is_found_with_the_offset_behind_it(folder):
    with Tape.open(folder, segment=100) as tape:
        tape.append([b"mark|1"])
        tape.append([b"f" * 100])
        assert tape.last(b"mark|") == (HEAD + 6, b"mark|1")
        tape.append([b"mark|2", b"f" * 10, b"mark|3", b"g"])
        behind, mark = tape.last(b"mark|")
        assert (mark, everything(tape, behind)) == (b"mark|3", [b"g"])
        tape.append([b"h" * 100])
        assert tape.fresh
        tape.append([b"no mark"])
        assert tape.last(b"mark|") == (behind, b"mark|3")


# ---- wrong questions ------------------------------------------------------------------------------
def test_an_offset_that_is_no_boundary_is_found_out(folder):
    inner = pack([b"a frame"], 0)
    with Tape.open(folder) as tape:
        tape.append([b"x", inner * 3, b"z"])
        boundaries = {0, HEAD + 1, 2 * HEAD + 1 + 3 * len(inner), tape.end}
        for at in set(range(tape.end)) - boundaries:
            with pytest.raises(TapeError, match=rf"no whole record at {at}$"):
                tape.read(at, 1000)


def test_an_offset_behind_the_end_is_refused(folder):
    with Tape.open(folder) as tape, pytest.raises(TapeError, match=r"ends at 0, before 5$"):
        tape.read(5, 1000)


def test_a_second_opening_is_refused_in_one_line(folder):
    with Tape.open(folder), pytest.raises(TapeError) as refused:
        Tape.open(folder)
    assert str(refused.value) == f"the tape {folder} is in use by another process"
    Tape.open(folder).close()


def test_a_file_in_the_place_of_the_folder_is_told_in_one_line(tmp_path):
    (tmp_path / "tape").write_text("")
    with pytest.raises(TapeError, match=r"tape cannot be opened: File exists$"):
        Tape.open(tmp_path / "tape")


def test_closing_twice_is_closing_once(folder):
    tape = Tape.open(folder)
    tape.append([b"x"])
    tape.close()
    tape.close()


# ---- a full or broken disk ------------------------------------------------------------------------
def test_a_full_disk_takes_nothing_back_but_the_failed_batch(folder):
    """RLIMIT_FSIZE lets a write in part, then refuses, as a full disk does; with EFBIG for ENOSPC."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Tape.open(folder) as tape:
        tape.append([b"before"])
        end = tape.end
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(TapeError) as refused:
                tape.append([b"a" * 400] * 5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert str(refused.value) == f"the tape {folder} cannot be written: File too large"
        assert (tape.end, segments_of(folder)[0].stat().st_size) == (end, end)
        tape.append([b"after"])
        assert everything(tape) == [b"before", b"after"]
    with Tape.open(folder) as tape:
        assert (everything(tape), tape.torn) == ([b"before", b"after"], 0)


def test_what_cannot_be_taken_back_is_cut_before_the_next_append(folder, monkeypatch):
    """Left behind, its first record would follow a later one of the same length as if it were published."""
    real = os.write

    def failing(fd, data):
        if len(data) > 20:
            return real(fd, data[:-4])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def no_cut(fd, length):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Tape.open(folder) as tape:
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", failing)
            broken.setattr(os, "ftruncate", no_cut)
            for _ in range(2):
                with pytest.raises(TapeError, match=r"cannot be written: Input/output error$"):
                    tape.append([b"lost1", b"lost2", b"lost3"])
        tape.append([b"kept1"])
        assert everything(tape) == [b"kept1"]
    with Tape.open(folder) as tape:
        assert (everything(tape), tape.torn) == ([b"kept1"], 0)


def test_a_segment_that_cannot_be_made_is_tried_again(folder, monkeypatch):
    real = os.open

    def full(path, flags, mode=0o777, **more):
        if flags & os.O_EXCL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, mode, **more)

    with Tape.open(folder, segment=10) as tape:
        tape.append([b"a" * 20])
        with monkeypatch.context() as broken:
            broken.setattr(os, "open", full)
            with pytest.raises(TapeError, match=r"cannot be written: No space left on device$"):
                tape.append([b"b"])
        assert tape.fresh
        tape.append([b"c"])
        assert everything(tape) == [b"a" * 20, b"c"]


def test_an_unreadable_file_at_the_opening_is_no_reason_to_cut_it(folder, monkeypatch):
    with Tape.open(folder) as tape:
        tape.append([b"a", b"b"])

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr(os, "pread", broken)
        with pytest.raises(TapeError, match=r"cannot be opened: Input/output error$"):
            Tape.open(folder)
    with Tape.open(folder) as tape:
        assert (everything(tape), tape.torn, tape.damage) == ([b"a", b"b"], 0, "")


# ---- torn ends and damage -------------------------------------------------------------------------
@pytest.mark.parametrize("rest", [b"\0" * 5000, b"\xff" * 30, b"\1", b"\5\0\0\0\0\0\0\0abc"])
def test_what_is_no_record_at_the_end_is_cut_off_and_counted(folder, rest):
    with Tape.open(folder) as tape:
        tape.append([b"a", b"b"])
        identity, end = tape.identity, tape.end
    with segments_of(folder)[-1].open("ab") as file:
        file.write(rest)
    with Tape.open(folder) as tape:
        assert (tape.identity, tape.end, tape.torn, tape.damage) == (identity, end, len(rest), "")
        tape.append([b"c"])
    with Tape.open(folder) as tape:
        assert (everything(tape), tape.torn) == ([b"a", b"b", b"c"], 0)


def test_every_cut_of_the_last_batch_leaves_whole_records(folder):
    with Tape.open(folder) as tape:
        tape.append([b"a" * 30, b"b" * 40])
        identity, whole = tape.identity, segments_of(folder)[0].read_bytes()
    for size in range(len(whole)):
        segments_of(folder)[0].write_bytes(whole[:size])
        kept = [b"a" * 30] if size >= 30 + HEAD else []
        with Tape.open(folder) as tape:
            assert (everything(tape), tape.identity) == (kept, identity)
            assert tape.torn == size - tape.end
            assert tape.fresh == (not kept)


@pytest.mark.parametrize("position", [0, 3, 5, HEAD, HEAD + 50])
def test_damage_before_the_end_moves_the_tape_aside(folder, position):
    with Tape.open(folder) as tape:
        tape.append([b"a" * 100, b"b", b"c" * 100])
        identity = tape.identity
    before = segments_of(folder)[0].read_bytes()
    mangle(segments_of(folder)[0], position, bytes([before[position] ^ 0x81]))
    with Tape.open(folder) as tape:
        assert tape.damage == (
            f"the tape {folder} is damaged (no whole record at 0, and there are some behind it); it was "
            f"moved to {folder}.damaged-1, nothing of it was used, and a new one begun"
        )
        assert tape.identity > identity
        assert (tape.begin, tape.end, everything(tape)) == (0, 0, [])
        tape.append([b"new"])
    assert len(segments_of(folder.with_name("tape.damaged-1"))[0].read_bytes()) == len(before)
    with Tape.open(folder) as tape:
        assert (everything(tape), tape.damage) == ([b"new"], "")


def grown(folder):
    with Tape.open(folder, segment=100) as tape:
        for number in range(9):
            tape.append([b"%d" % number * 60])
    return segments_of(folder)


def test_a_missing_segment_is_damage(folder):
    grown(folder)[2].unlink()
    with Tape.open(folder) as tape:
        assert "the segment at 136 ends at 272, and the next begins at 408" in tape.damage


@pytest.mark.parametrize("text", [None, "", "seven", "-1", "0", "é"])
def test_a_lost_identity_is_damage(folder, text):
    grown(folder)
    (folder / "identity").unlink()
    if text is not None:
        (folder / "identity").write_text(text)
    with Tape.open(folder) as tape:
        assert "its identity is" in tape.damage
        assert tape.identity > 10**18


def test_a_tape_without_segments_is_another_tape(folder):
    for path in grown(folder):
        path.unlink()
    identity = int((folder / "identity").read_text())
    with Tape.open(folder) as tape:
        assert (tape.damage, tape.end) == ("", 0)
        assert tape.identity > identity


def test_missing_oldest_segments_are_gone_ones(folder):
    grown(folder)[0].unlink()
    with Tape.open(folder) as tape:
        assert (tape.begin, tape.damage) == (136, "")
        assert len(everything(tape)) == 7


def test_damage_in_an_older_segment_is_found_when_it_is_read(folder):
    mangle(grown(folder)[1], 20, b"!")
    with Tape.open(folder) as tape:
        assert tape.damage == ""
        assert everything(tape, 272)[0] == b"4" * 60
        with pytest.raises(TapeError, match=r"no whole record at 136$"):
            tape.read(136, 1000)


def test_other_files_in_the_folder_are_left_alone(folder):
    Tape.open(folder).close()
    (folder / "notes.txt").write_text("mine")
    (folder / "old.tape").write_text("mine too")
    with Tape.open(folder) as tape:
        assert (tape.damage, tape.end) == ("", 0)
    assert (folder / "old.tape").read_text() == "mine too"


def test_damaged_tapes_are_numbered(folder):
    for number in (1, 2):
        grown(folder)[1].unlink()
        with Tape.open(folder) as tape:
            assert f"{folder}.damaged-{number}" in tape.damage


# ---- records --------------------------------------------------------------------------------------
def test_a_record_is_one_only_where_it_was_written():
    data = pack([b"frame"], 1000)
    assert unpack(data, 1000) == ([b"frame"], len(data))
    assert unpack(data, 1001) == ([], 0)


def test_zeros_are_no_records():
    assert unpack(b"\0" * 100, 0) == ([], 0)
    assert not resumes(b"\0" * 100, 0)


def test_offsets_may_be_larger_than_a_checksum():
    at = 2**40 + 12345
    data = pack([b"one", b"two"], at)
    assert unpack(data, at) == ([b"one", b"two"], len(data))


@given(
    st.lists(st.binary(min_size=1, max_size=200), min_size=2, max_size=6),
    st.integers(0, 2**40),
    st.integers(0, 7),
    st.integers(1, 255),
)
def test_a_damaged_record_before_others_is_told_from_a_torn_end(frames, at, where, flip):
    data = bytearray(pack(frames, at))
    first = HEAD + len(frames[0])
    data[where] ^= flip
    assert unpack(bytes(data), at)[1] == 0
    assert resumes(bytes(data), at)
    assert not resumes(bytes(data[: first + HEAD]), at)


# ---- syncing from a thread ------------------------------------------------------------------------
def test_syncing_covers_every_segment_written_since_the_last(folder, monkeypatch):
    synced = []
    real = os.fdatasync

    def spy(fd):
        synced.append(int(Path(f"/proc/self/fd/{fd}").readlink().stem))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", spy)
    with Tape.open(folder, segment=50) as tape:
        tape.sync()
        for _ in range(3):
            tape.append([b"a" * 60])
        tape.sync()
        tape.sync()
        tape.append([b"a" * 60])
        tape.sync()
    assert synced == [0, 68, 136, 136, 136, 204]


def test_syncing_beside_the_writer_disturbs_nobody(folder):
    stop = threading.Event()
    failed = []

    def work():
        try:
            while not stop.is_set():
                tape.sync()
        except BaseException as error:  # noqa: BLE001  (a thread's failure is the test's)
            failed.append(error)

    with Tape.open(folder, limit=2000, segment=200) as tape:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            for number in range(3000):
                tape.append([b"%d" % number])
        finally:
            stop.set()
            thread.join()
        assert failed == []
        assert everything(tape)[-1] == b"2999"


def test_a_disk_that_cannot_sync_is_told_in_one_line(folder, monkeypatch):
    def broken(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Tape.open(folder) as tape:
        tape.append([b"a"])
        monkeypatch.setattr(os, "fdatasync", broken)
        with pytest.raises(TapeError, match=r"cannot be synced: Input/output error$"):
            tape.sync()


# ---- kill -9 --------------------------------------------------------------------------------------
WRITER = """
import random, sys
from pathlib import Path
from supervisor.store.tape import Tape

chance = random.Random(int(sys.argv[2]))
with Tape.open(Path(sys.argv[1]), limit=200_000, segment=40_000) as tape:
    found = tape.last(b"n|")
    number = int(found[1].split(b"|")[1]) if found else 0
    print("ready", flush=True)
    while True:
        batch = []
        for _ in range(chance.randint(1, 60)):
            number += 1
            batch.append(b"n|%d|" % number + b"x" * chance.randint(0, 1200))
        tape.append(batch)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


@pytest.mark.system
def test_kill_9_at_any_instant_leaves_a_readable_tape_with_all_that_was_told(folder):
    chance = random.Random(4)
    told, identity = 0, None
    for seed in range(25):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(seed)], stdout=subprocess.PIPE
        )
        assert child.stdout.readline() == b"ready\n"
        for _ in range(chance.randint(0, 40)):
            told = int(child.stdout.readline())
        child.send_signal(signals.SIGKILL)
        rest = child.communicate()[0].split(b"\n")[:-1]  # whole lines only
        told = int(rest[-1]) if rest else told
        assert child.returncode == -signals.SIGKILL
        with Tape.open(folder, limit=200_000, segment=40_000) as tape:
            assert tape.damage == ""
            assert identity in {None, tape.identity}
            identity = tape.identity
            numbers = [int(frame.split(b"|")[1]) for frame in everything(tape, most=10_000)]
            assert numbers[-1] >= told
            assert all(after == before + 1 for before, after in pairwise(numbers))


@pytest.mark.system
def test_a_killed_holder_gives_the_lock_back(folder):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom supervisor.store.tape import Tape\n"
        "tape = Tape.open(Path(sys.argv[1]))\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(TapeError, match="in use by another process"):
        Tape.open(folder)
    child.kill()
    child.communicate()

    def again():
        try:
            return Tape.open(folder)
        except TapeError:
            return None

    wait_until(again, what="the lock to be free").close()


def test_the_defaults_are_those_that_are_documented():
    assert (tape_module.LIMIT, tape_module.SEGMENT) == (256 * 2**20, 8 * 2**20)
