"""`scripts/setup` says what it does and what went wrong, and leaves out what pip and npm print besides."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PYTHON = """#!/bin/sh
# Stands for .venv's Python: suits, and installs; fails where there is no lock file that it could read.
[ "$2" = pip ] || exit 0
echo "Collecting everything"
for last; do :; done
[ "$last" = . ] || grep -q hash "$last" || { echo "ERROR: no matching distribution" >&2; exit 1; }
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout where only the Python packages are missing, and pip is quick."""
    programs, modules = tmp_path / ".venv" / "bin", tmp_path / "verdaccio" / "node_modules"
    for folder in (programs, modules, tmp_path / "scripts"):
        folder.mkdir(parents=True)
    shutil.copy(SCRIPTS / "setup", tmp_path / "scripts")
    for name, text in (("python", PYTHON), ("registry", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "pyproject.toml").write_text("[project]\n[tool]\n")
    (tmp_path / "requirements.lock").write_text("six==1.17.0 --hash=sha256:00")
    for name in ("package.json", "package-lock.json"):
        (tmp_path / "verdaccio" / name).touch()
    stamp = subprocess.run(["sha256sum"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    (modules / ".stamp").write_bytes(stamp)
    return tmp_path


def set_up(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "scripts" / "setup"), *options]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )


def test_it_says_what_it_installs_and_not_what_pip_says(checkout: Path) -> None:
    done = set_up(checkout)
    assert done.returncode == 0
    assert "installing the Python packages of requirements.lock (a minute or two)" in done.stdout
    assert "Collecting" not in done.stdout
    assert set_up(checkout).stdout == ""


def test_verbose_shows_all_that_pip_says(checkout: Path) -> None:
    assert set_up(checkout, "--verbose").stdout.count("Collecting everything") == 2


@pytest.mark.parametrize("options", [(), ("--verbose",)])
def test_a_failure_is_shown_with_its_reason_and_is_tried_again(
    checkout: Path, options: tuple[str, ...]
) -> None:
    lock = checkout / "requirements.lock"
    was, _ = lock.read_text(), lock.write_text("nothing")
    failed = set_up(checkout, *options)
    assert failed.returncode == 1
    assert (
        "ERROR: no matching distribution\nsetup: installing the Python packages of requirements.lock failed"
        in (failed.stdout)
    )
    lock.write_text(was)
    assert set_up(checkout).returncode == 0


def test_an_unknown_option_is_answered_with_the_known_ones(checkout: Path) -> None:
    done = set_up(checkout, "--verbos")
    assert done.returncode == 2
    assert "Usage: scripts/setup [--dev] [--verbose]" in done.stdout
