"""Run ``tests/host`` in a Debian 12 that is booted for it: ``host_test.py [qemu|uml|ns] [--attacks WORDS]``.

Puts the payload together (the wheels of the lock, the wheel of this checkout, the checks) and hands it to
``../shared/host/vmtest.sh``. ``ns`` boots systemd in namespaces over this machine's own root, in a second and
without control groups of version 2; ``qemu`` a Debian kernel with all of them, in some minutes. Needs root.

Deadlines in there are stretched by how slow the host was measured to be. On a busy machine that is not enough
for qemu: niceness counts within a session only (sched(7), autogroups), so raise that of its own:
``echo -15 > /proc/PID/autogroup``.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import wheelhouse

ROOT = Path(__file__).resolve().parent.parent
VMTEST = ROOT.parent / "shared" / "host" / "vmtest.sh"
FEW = "fs_ net_every kern_locks proc_"
"""Attacks for an emulated processor, by parts of their names; all of them: ``--attacks ""``. Of those two are
ended by their budget before they come to their point there, and one finds no memory to search."""
PARTS = (
    "tests/__init__.py", "tests/shared.py", "tests/waiting.py", "tests/attacks", "tests/sandbox/world.py",
    "tests/host", "systemd", "docs/operations.md",
)  # fmt: skip
TOOLS = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging")
"""What the attacks import besides stratd: of this environment, all plain Python."""


def main(arguments):
    """Put the payload together and run it; return the exit status of the checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", nargs="?", default="qemu", choices=("qemu", "uml", "ns"))
    parser.add_argument("--attacks", help="only those whose name contains one of these words")
    parser.add_argument("--package", type=Path, metavar="DEB", help="install and remove this one instead")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for the whole run (default: 900)")
    options = parser.parse_args(arguments)
    if not VMTEST.exists():
        print(f"stratd: {VMTEST} is not there: it boots the host", file=sys.stderr)
        return 125
    words = options.attacks if options.attacks is not None else ("" if options.backend == "ns" else FEW)
    with tempfile.TemporaryDirectory(prefix="stratd-host-") as folder:
        payload(Path(folder), words)
        if options.package:
            shutil.copy(str(options.package), str(Path(folder) / "stratd.deb"))
        return subprocess.call(command(options.backend, folder, options.timeout))


def command(backend, folder, timeout):
    """Return the command line that boots a host of this kind and runs the checks in it."""
    kind = ["-r", "host"] if backend == "ns" else ["-P", "main/tests/host/prepare.sh", "-m", "2048"]
    script = "main/tests/host/guest.sh"
    # Line by line: what reads the guest's words there would else keep them until there are many.
    return ["stdbuf", "-oL", "bash", str(VMTEST), "-b", backend, *kind, "-t", str(timeout), folder, script]


def payload(folder, words):
    """Lay out what the host gets: wheels, checks, units, attacks; the folder is open to every user there."""
    folder.chmod(0o755)
    wheelhouse.lay(folder / "wheelhouse")
    for part in PARTS:
        lay(ROOT / part, (folder / "main" / part).parent)
    for tool in TOOLS:
        found = Path(importlib.util.find_spec(tool).origin)
        lay(found.parent if found.name == "__init__.py" else found, folder / "main")
    samples = ROOT.parent / "shared" / "attacks"
    if samples.is_dir():
        shutil.copytree(str(samples), str(folder / "shared" / "attacks"))
    (folder / "attacks").write_text(words)


def lay(source, folder):
    """Copy a file or a folder into another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(str(source), str(folder / source.name), ignore=ignored)
    else:
        shutil.copy(str(source), str(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
