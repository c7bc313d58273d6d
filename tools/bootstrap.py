"""Make a virtual environment that holds exactly what a lock file says, and stratd. Standard library only.

``make`` runs this before everything else. Nothing to do takes a tenth of a second: a stamp in the
environment holds what it was made from, and is written last, so an interrupted run is taken up again.

pip is used as the user configured it (index, proxy, certificates); nothing here names an index. The syntax
is that of Python 3.6, so that an interpreter too old for stratd gets a sentence and no traceback.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, TOO_NEW = (3, 11), (3, 14)
ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """The environment cannot be made; the message is the one sentence that says why."""


def main(arguments):
    """Make or bring up to date the environment; the exit code is 0, or 1 after one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where (default: .venv)")
    parser.add_argument(
        "--lock", type=Path, default=ROOT / "requirements" / "dev.txt", help="what to install"
    )
    parser.add_argument("--wheel", type=Path, help="install this wheel of stratd instead of the checkout")
    options = parser.parse_args(arguments)
    try:
        check_python(sys.version_info[:3])
        make(options.venv.absolute(), options.lock, options.wheel)
    except Refused as error:
        print(f"stratd: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"stratd: setting up failed, see above; the command was {' '.join(error.cmd)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def check_python(version):
    """Refuse an interpreter that stratd does not run on."""
    if not OLDEST <= tuple(version[:2]) < TOO_NEW:
        shown = ".".join(str(part) for part in version)
        raise Refused(
            f"needs Python 3.11, 3.12 or 3.13, but {sys.executable} is {shown}; "
            "name another one: make PYTHON=/path/to/python3.13"
        )


def make(venv, lock, wheel):
    """Bring the environment to what lock and project say, doing only what is not done yet."""
    wanted = {
        # A virtual environment holds absolute paths: one that was moved is made anew.
        "place": [str(venv), str(ROOT), *sys.version_info[:2]],
        "lock": digest(lock),
        "project": f"{digest(ROOT / 'pyproject.toml')} {wheel}",
    }
    stamp = venv / "stratd-bootstrap.json"
    python = venv / "bin" / "python"
    found = read_stamp(stamp) if python.exists() else {}
    if found == wanted:
        return
    if found.get("place") == wanted["place"] or (not found and is_environment(venv, python)):
        install = installer(python)
    else:
        say(f"making {relative(venv)} with Python {sys.version_info[0]}.{sys.version_info[1]}")
        install = create(venv, python)
        found = {}
    # What is done is noted at once: a download that fails costs only itself.
    done = {"place": wanted["place"]}
    if found.get("lock") != wanted["lock"]:
        write_stamp(stamp, done)
        say(f"installing what {relative(lock)} locks")
        call([*install, "--require-hashes", "-r", str(lock)])
    done["lock"] = wanted["lock"]
    write_stamp(stamp, done)
    say("installing stratd")
    # Nothing is resolved or downloaded here: dependencies and the build backend came with the lock.
    what = ["--no-build-isolation", "-e", str(ROOT)] if wheel is None else [str(wheel)]
    call([*install, "--no-deps", *what])
    write_stamp(stamp, wanted)


def create(venv, python):
    """Make an empty environment and return the command that installs into it."""
    shutil.rmtree(str(venv), ignore_errors=True)
    if has_module("ensurepip"):
        call([sys.executable, "-m", "venv", str(venv)])
    elif has_module("virtualenv"):
        call([sys.executable, "-m", "virtualenv", "--quiet", str(venv)])
    elif has_module("venv"):  # Debian and Ubuntu split ensurepip off into python3-venv; the rest is there
        call([sys.executable, "-m", "venv", "--without-pip", str(venv)])
    else:
        raise Refused(f"cannot make a virtual environment: {sys.executable} has no module venv or virtualenv")
    return installer(python)


def is_environment(venv, python):
    """Whether there is an environment of this Python already, made by somebody else or not finished."""
    asked = "import sys; sys.exit(sys.argv[1:] != [sys.prefix, '%d.%d' % sys.version_info[:2]])"
    version = ".".join(str(part) for part in sys.version_info[:2])
    return python.exists() and works([str(python), "-c", asked, str(venv), version])


def installer(python):
    """Return the command that installs into an environment: its own pip, or one from outside."""
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    if works([str(python), "-m", "pip", "--version"]):
        return [str(python), "-m", "pip", "install", *quiet]
    outside = [sys.executable, "-m", "pip", "--python", str(python)]  # pip 22.3 and later
    if works([*outside, "--version"]):
        return [*outside, "install", *quiet]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    raise Refused(
        f"cannot install packages: {sys.executable} has neither ensurepip nor pip, and there is no "
        "virtualenv or uv; on Debian or Ubuntu: apt install python3-venv"
    )


def has_module(name):
    """Whether this interpreter can run a module; asked in a process of its own, as it will be used."""
    return works([sys.executable, "-c", f"import {name}"])


def works(command):
    """Whether a command exits with 0, whatever it prints."""
    null = subprocess.DEVNULL
    return subprocess.call(command, stdout=null, stderr=null, env=environment()) == 0


def call(command):
    """Run a command, passing on what it prints."""
    subprocess.check_call(command, env=environment())


def environment():
    """Return the user's environment without what would lead an installation elsewhere."""
    astray = ("PYTHONPATH", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if name not in astray}
    # "user = true" in pip's configuration is an error in a virtual environment; all else of it counts.
    kept["PIP_USER"] = "0"
    return kept


def digest(path):
    """Return the SHA-256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def read_stamp(path):
    """Return what an environment was made from; nothing if it is not ours."""
    try:
        stamp = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path, stamp):
    """Write the stamp whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(stamp))
    new.replace(path)


def relative(path):
    """Return a path as short as a person would write it."""
    short = os.path.relpath(str(path))
    return str(path) if short.startswith("..") else short


def say(text):
    """Tell what is being done, on stderr: stdout belongs to what ``make`` runs after this."""
    print(f"stratd: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
