"""The other tools of the Python world: poetry, pdm, pipenv, hatch, flit and twine 6, all as their users run them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said, run
from tests.upstream import make_sdist, make_wheel

INSTALLERS = ("poetry", "pdm", "pipenv", "hatch")
UPLOADERS = ("twine 6", "poetry", "pdm", "hatch", "flit")


class Tools:
    """A machine with these tools, and a project of its own for each."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.url = machine.url
        self.index = machine.index
        self.project = machine.folder / "python-project"
        self.project.mkdir()
        cache = machine.folder / "cache"
        self.environ = machine.environ | {
            "PATH": f"{CLIENTS / 'python-tools' / 'bin'}:{machine.environ['PATH']}",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "POETRY_KEYRING_ENABLED": "false",
            "POETRY_CACHE_DIR": str(cache / "poetry"),
            "POETRY_NO_INTERACTION": "1",
            "PDM_CHECK_UPDATE": "false",
            "PDM_CACHE_DIR": str(cache / "pdm"),
            "PDM_PYTHON": str(machine.python),
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIPENV_NOSPIN": "1",
            "PIPENV_CACHE_DIR": str(cache / "pipenv"),
            "HATCH_DATA_DIR": str(cache / "hatch"),
            "HATCH_CACHE_DIR": str(cache / "hatch-cache"),
            "VIRTUALENV_OVERRIDE_APP_DATA": str(cache / "virtualenv"),
            "PIP_INDEX_URL": machine.index,
            "NO_COLOR": "1",
        }

    def run(self, *command: str, **environ: str) -> Said:
        """One of the tools, in the project."""
        program = CLIENTS / ("pdm" if command[0] == "pdm" else "python-tools") / "bin" / command[0]
        return run([str(program), *command[1:]], self.environ | environ, self.project)

    def write(self, name: str, text: str) -> None:
        (self.project / name).write_text(text, "utf-8")

    # installing

    def install(self, tool: str, wanted: str) -> Said:
        """Make a project that depends on `wanted`, lock it where the tool locks, and install it."""
        manifest = f'[project]\nname = "site"\nversion = "1.0"\nrequires-python = ">=3.11"\ndependencies = ["{wanted}"]\n'
        match tool:
            case "poetry":
                source = (
                    f'[[tool.poetry.source]]\nname = "house"\nurl = "{self.index}"\npriority = "primary"\n'
                )
                self.write("pyproject.toml", f"{manifest}[tool.poetry]\npackage-mode = false\n{source}")
                locked = self.run("poetry", "lock")
                return self.run("poetry", "install", "--no-root") if locked.ok else locked
            case "pdm":
                source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{self.index}"\n'
                self.write("pyproject.toml", f"{manifest}[tool.pdm]\ndistribution = false\n{source}")
                locked = self.run("pdm", "lock")
                return self.run("pdm", "install", "--no-self") if locked.ok else locked
            case "pipenv":
                self.write(
                    "Pipfile",
                    f'[[source]]\nname = "house"\nurl = "{self.index}"\nverify_ssl = false\n'
                    f"[packages]\n{wanted.replace('==', ' = ' + chr(34) + '==')}{chr(34) if '==' in wanted else ' = ' + chr(34) + '*' + chr(34)}\n",
                )
                return self.run("pipenv", "install", "--python", sys.executable)
            case "hatch":
                environment = f'[tool.hatch.envs.default]\ndetached = true\ndependencies = ["{wanted}"]\n'
                self.write("pyproject.toml", f'[project]\nname = "site"\nversion = "1.0"\n{environment}')
                return self.run("hatch", "env", "create")
        raise AssertionError(tool)

    def installed(self, name: str) -> str | None:
        """The version that a tool put somewhere below this machine's folder."""
        pattern = f"**/site-packages/{name.replace('-', '_')}-*.dist-info"
        found = next(self.machine.folder.glob(pattern), None)
        return found.name.removesuffix(".dist-info").rpartition("-")[2] if found else None

    # uploading

    def upload(self, tool: str, name: str, version: str, user: User) -> Said:
        """Publish a release with what the tool has for it."""
        repository = f"{self.url}/pypi/legacy/"
        self.write(
            f"{name.replace('-', '_')}.py", f'"""{name}, made by {tool}."""\n\n__version__ = "{version}"\n'
        )
        if tool == "flit":
            self.write(
                "pyproject.toml",
                '[build-system]\nrequires = []\nbuild-backend = "flit_core.buildapi"\n'
                f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "ours"\n'
                'authors = [{name = "Ünïcode Persön", email = "a@b.example"}]\nkeywords = ["one", "two"]\n'
                'requires-python = ">=3.9"\nclassifiers = ["Programming Language :: Python :: 3"]\n',
            )
        if tool == "flit":
            return self.run(
                "flit",
                "publish",
                FLIT_INDEX_URL=repository,
                FLIT_USERNAME=user.name,
                FLIT_PASSWORD=user.password,
            )
        files = self.machine.dist(make_wheel(name, version), make_sdist(name, version))
        login = ("--username", user.name, "--password", user.password)
        if tool == "twine 6":
            command = [
                sys.executable,
                "-m",
                "twine",
                "upload",
                "--non-interactive",
                "--repository-url",
                repository,
            ]
            more = {"PYTHONPATH": str(CLIENTS / "twine-6")}
            return run([*command, *login, *files], self.environ | more, self.project)
        if tool in {"poetry", "pdm"}:
            shutil.copytree(Path(files[0]).parent, self.project / "dist")
            self.write("pyproject.toml", f'[project]\nname = "{name}"\nversion = "{version}"\n')
        if tool == "poetry":
            self.run("poetry", "config", "repositories.house", repository).checked()
            return self.run("poetry", "publish", "-r", "house", *login)
        if tool == "pdm":
            return self.run("pdm", "publish", "--no-build", "--repository", repository, *login)
        assert tool == "hatch"
        return self.run(
            "hatch", "publish", "-n", "-r", repository, "-u", user.name, "-a", user.password, *files
        )


@pytest.mark.parametrize("tool", INSTALLERS)
def test_a_public_project_is_locked_and_installed_and_once_more_without_upstream(
    tool: str, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"larkspur-{tool}"
    outside.publish(make_wheel(f"{name}-root", "1.0"), make_wheel(name, "2.0", requires=[f"{name}-root>=1"]))
    first = Tools(new_machine())
    first.install(tool, name).checked()
    assert (first.installed(name), first.installed(f"{name}-root")) == ("2.0", "1.0")
    with outside.cut_off():
        second = Tools(new_machine())
        second.install(tool, name).checked()
    assert second.installed(name) == "2.0"


@pytest.mark.parametrize("tool", INSTALLERS)
def test_a_refused_version_is_passed_over_or_its_reason_is_told(
    tool: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"hemlock-{tool}"
    outside.publish(make_wheel(name, "1.0"), make_wheel(name, "2.0"))
    house.registry(
        "policy", "deny", "pypi", name, "--versions", ">=2", "--reason", "poisons people"
    ).checked()
    tools = Tools(new_machine())
    tools.install(tool, name).checked()
    assert tools.installed(name) == "1.0"
    pinned = Tools(new_machine())
    pinned.install(tool, f"{name}==2.0").refused()
    assert pinned.installed(name) is None


@pytest.mark.parametrize("tool", UPLOADERS)
def test_a_release_is_uploaded_and_installed_back(
    tool: str, alice: User, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"canary-of-{tool.replace(' ', '-')}"
    Tools(new_machine()).upload(tool, name, "1.0", alice).checked()
    reader = new_machine()
    reader.install("pip", name).checked()
    assert reader.installed("pip", name) == "1.0"
    assert outside.heard_of(name) == []


@pytest.mark.parametrize("tool", UPLOADERS)
def test_an_upload_with_a_wrong_password_says_so(tool: str, alice: User, new_machine: NewMachine) -> None:
    wrong = type(alice)(**{**alice.__dict__, "password": "wrong"})
    said = Tools(new_machine()).upload(tool, "never-arrives", "1.0", wrong).refused()
    assert "401" in said.text or "password" in said.text
