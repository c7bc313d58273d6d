"""What holds of the repository as a whole: guards that neither ruff, mypy nor import-linter can express."""

import ast
import graphlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bus", "strategies", "sandbox", "supervisor", "cli")


def tracked():
    """Every file of the repository; without git, every file that is not made by a tool."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    ]


def sources(*folders):
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def calls(tree, module, *names):
    """Every ``module.name`` or ``from module import name`` in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            if isinstance(node.value, ast.Name) and node.value.id == module:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == module:
            yield from (node.lineno for alias in node.names if alias.name in names)


def loaded(body):
    """Every import that loading a module carries out, but for those that only types need."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from loaded([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from loaded(node.body)


def test_no_module_is_loaded_on_the_way_to_itself():
    modules = {
        name_of(path).removesuffix(".py").removesuffix("/__init__"): path for path in sources(*PACKAGES)
    }
    imports = {name: set() for name in modules}
    for name, path in modules.items():
        for node in loaded(ast.parse(path.read_text()).body):
            # "from package import module" needs the package, too: its name is looked up there.
            base = [node.module] if isinstance(node, ast.ImportFrom) else []
            found = [*base, *(".".join([*base, alias.name]) for alias in node.names)]
            imports[name] |= {one.replace(".", "/") for one in found} & modules.keys() - {name}
    list(graphlib.TopologicalSorter(imports).static_order())  # a CycleError names the circle


def test_a_process_is_forked_in_one_file():
    found = {
        name_of(path)
        for path in sources(*PACKAGES)
        if "fork" in (text := path.read_text()) and list(calls(ast.parse(text), "os", "fork", "forkpty"))
    }
    assert found <= {"sandbox/fork.py", "sandbox/zygote.py"}
    assert 1 == len(found)


def test_no_test_sleeps_and_hopes():
    """``tests/waiting.py`` is where the one sleep is: everybody else waits for a condition.

    Hostile strategies sleep to be ended: they are what a test watches, and no test.
    """
    found = {
        f"{name_of(path)}:{line}"
        for path in sources("tests")
        if not name_of(path).startswith(("tests/waiting.py", "tests/attacks/acts/"))
        if "sleep" in (text := path.read_text())  # most are not parsed at all: that takes seconds
        for tree in [ast.parse(text)]
        for module in ("time", "asyncio")
        for line in calls(tree, module, "sleep")
    }
    assert set() == found


def texts():
    endings = (".py", ".md", ".toml", ".sh", ".service", ".yaml", ".json", ".txt", "")
    for path in tracked():
        if path.suffix in endings and path != Path(__file__):
            yield name_of(path), path.read_text(errors="replace")


def test_no_file_names_a_path_of_a_developers_machine():
    private = re.compile(r"/(?:home|Users)/(?!USER\b|you\b)\w+|/root/\w|/work/\w")
    found = [f"{name}: {match[0]}" for name, text in texts() for match in private.finditer(text)]
    assert [] == found


def test_no_file_names_a_package_registry():
    """The user's own pip configuration says where packages come from, or a folder of wheels that he names."""
    registry = re.compile(r"pypi\.org|pythonhosted|--index-url|--extra-index-url", re.IGNORECASE)
    found = [f"{name}: {match[0]}" for name, text in texts() for match in registry.finditer(text)]
    assert [] == found


@pytest.mark.parametrize(
    ("name", "most"), [("README.md", 150), ("CONTRIBUTING.md", 120), ("ARCHITECTURE.md", 235)]
)
def test_a_page_for_newcomers_stays_short(name, most):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not written yet")
    assert len(path.read_text().splitlines()) <= most


def test_the_changelog_has_the_version_that_is_built():
    version = pyproject()["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_make_target_is_in_make_help():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert targets == {line.split()[0] for line in shown.splitlines() if line.startswith("  ")}
    assert targets == phony  # none of them makes a file of its name


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        match[1]
        for path in tracked()
        if path.suffix == ".md"
        for match in re.finditer(r"(?:`|^\s*(?:\$ )?)make ([a-z][a-z-]*)", path.read_text(), re.MULTILINE)
    }
    assert named <= targets


def locked(name):
    """Return the pins of a lock, and whether each has a hash."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text().strip())
    pins = {}
    for entry in entries:
        package, version = re.match(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", entry).groups()
        assert "--hash=sha256:" in entry, entry
        pins[package] = version
    return pins


def required(requirements):
    return {re.match(r"[A-Za-z0-9-]+", one)[0].lower() for one in requirements if isinstance(one, str)}


def test_the_locks_pin_with_hashes_everything_that_is_declared_and_agree():
    run, dev = locked("run.txt"), locked("dev.txt")
    declared = pyproject()
    assert required(declared["project"]["dependencies"]) <= set(run)
    assert required(declared["dependency-groups"]["dev"]) <= set(dev)
    assert run.items() <= dev.items()  # what is tested is what is installed


LOADED = """
import json, sys
before = set(sys.modules)
import {module}
loaded = {{one.split(".")[0] for one in set(sys.modules) - before}}
print(json.dumps(sorted(loaded - set(sys.stdlib_module_names))))
"""


@pytest.mark.system
@pytest.mark.parametrize(
    ("module", "beyond"),
    [("sandbox.runner", set()), ("sandbox.warden", {"zmq", "psutil"}), ("sandbox.zygote", {"zmq", "psutil"})],
)
def test_a_process_of_a_cell_loads_little(module, beyond):
    """Every module that the zygote holds is in the memory of every cell, and every import is a risk."""
    command = [sys.executable, "-c", LOADED.format(module=module)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    loaded = {one for one in json.loads(shown) if "cython" not in one}  # Cython's own run-time, in msgpack
    light = {"numpy", "msgspec", "msgpack", "typing_extensions", "bus", "strategies", "sandbox"}
    assert loaded <= light | beyond


# ---- tools/bootstrap.py ---------------------------------------------------------------------------
@pytest.fixture
def bootstrap(monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    done = []

    def create(venv, python):
        done.append("create")
        python.parent.mkdir(parents=True)
        python.touch()
        return ["pip", "install"]

    def call(command):
        done.append(" ".join(command[2:]))

    monkeypatch.setattr(module, "create", create)
    monkeypatch.setattr(module, "call", call)
    monkeypatch.setattr(module, "installer", lambda python: ["pip", "install"])
    module.done = done
    return module


def test_setting_up_makes_the_environment_installs_the_lock_and_then_stratd(bootstrap, tmp_path):
    lock = ROOT / "requirements" / "dev.txt"
    bootstrap.make(tmp_path / "venv", lock, None)
    assert [
        "create",
        f"--require-hashes -r {lock}",
        f"--no-deps --no-build-isolation -e {ROOT}",
    ] == bootstrap.done


def test_setting_up_twice_does_nothing_the_second_time(bootstrap, tmp_path):
    bootstrap.make(tmp_path / "venv", ROOT / "requirements" / "dev.txt", None)
    bootstrap.done.clear()
    bootstrap.make(tmp_path / "venv", ROOT / "requirements" / "dev.txt", None)
    assert [] == bootstrap.done


def test_a_changed_lock_is_installed_into_the_environment_that_is_there(bootstrap, tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text("one")
    bootstrap.make(tmp_path / "venv", lock, None)
    bootstrap.done.clear()
    lock.write_text("two")
    bootstrap.make(tmp_path / "venv", lock, None)
    assert [f"--require-hashes -r {lock}", f"--no-deps --no-build-isolation -e {ROOT}"] == bootstrap.done


def test_what_was_interrupted_is_taken_up_where_it_was(bootstrap, tmp_path, monkeypatch):
    lock = ROOT / "requirements" / "dev.txt"
    complete = bootstrap.call

    def fails_at_the_end(command):
        if "-e" in command:
            raise subprocess.CalledProcessError(1, command)
        complete(command)

    monkeypatch.setattr(bootstrap, "call", fails_at_the_end)
    with pytest.raises(subprocess.CalledProcessError):
        bootstrap.make(tmp_path / "venv", lock, None)
    assert ["create", f"--require-hashes -r {lock}"] == bootstrap.done
    bootstrap.done.clear()
    monkeypatch.setattr(bootstrap, "call", complete)
    bootstrap.make(tmp_path / "venv", lock, None)
    assert [f"--no-deps --no-build-isolation -e {ROOT}"] == bootstrap.done


def test_an_environment_whose_python_is_gone_is_made_anew(bootstrap, tmp_path):
    venv = tmp_path / "venv"
    bootstrap.make(venv, ROOT / "requirements" / "dev.txt", None)
    (venv / "bin" / "python").unlink()
    (venv / "bin").rmdir()
    bootstrap.done.clear()
    bootstrap.make(venv, ROOT / "requirements" / "dev.txt", None)
    assert "create" == bootstrap.done[0]


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (2, 7, 18)])
def test_a_python_that_will_not_do_is_one_sentence(bootstrap, version, capsys, monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (*version, "final", 0))
    assert 1 == bootstrap.main([])
    said = capsys.readouterr().err
    shown = ".".join(str(part) for part in version)
    assert f"stratd: needs Python 3.11, 3.12 or 3.13, but {sys.executable} is {shown}; " in said
    assert 1 == said.count("\n")


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 1)])
def test_every_supported_python_will_do(bootstrap, version):
    bootstrap.check_python(version)


def test_the_supported_pythons_are_those_of_the_project(bootstrap):
    oldest, too_new = (
        ".".join(str(part) for part in version) for version in (bootstrap.OLDEST, bootstrap.TOO_NEW)
    )
    assert f">={oldest},<{too_new}" == pyproject()["project"]["requires-python"]


def test_a_failing_installation_is_one_line_after_what_pip_said(bootstrap, capsys, monkeypatch):
    def fail(*_):
        raise subprocess.CalledProcessError(1, ["pip", "install"])

    monkeypatch.setattr(bootstrap, "make", fail)
    assert 1 == bootstrap.main([])
    assert "stratd: setting up failed, see above; the command was pip install\n" == capsys.readouterr().err
