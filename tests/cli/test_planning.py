"""Lock files and candidates on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Running

pytestmark = pytest.mark.loopback

LOCK = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "node_modules/react": {"version": "18.0.0", "resolved": "http://x/react.tgz"},
            "node_modules/loadsh": {"version": "1.0.0", "resolved": "http://x/loadsh.tgz"},
            "node_modules/fork": {"version": "1.0.0", "resolved": "git+ssh://x/fork.git"},
        },
    }
)


@pytest.fixture
def locks(tmp_path: Path) -> list[str]:
    (tmp_path / "package-lock.json").write_text(LOCK)
    (tmp_path / "requirements.txt").write_text("flask==2.0\n")
    return [str(tmp_path / "package-lock.json"), str(tmp_path / "requirements.txt")]


def test_lock_files_are_allowed_in_one_step_and_what_was_left_out_is_named(
    appliance: Running, locks: list[str]
) -> None:
    planned = appliance.command("policy", "allow", "--from", *locks, "--dry-run")
    assert planned.stdout.startswith("2 names would be allowed, 0 were already.\n"), planned.output
    done = appliance.command("policy", "allow", "--from", *locks, "--reason", "what we use")
    assert done.exit_code == 1
    assert done.stdout == "2 names are allowed from now on, 0 were already.\n"
    assert "'loadsh' looks like 'lodash'" in done.stderr
    assert "fork" in done.stderr
    listed = appliance.answer("policy", "list", "--kind", "allow")
    assert [(e["ecosystem"], e["pattern"]) for e in listed] == [("npm", "react"), ("pypi", "flask")]
    pinned = appliance.answer("policy", "allow", "--from", *locks, "--pin", "--reason", "exactly")
    assert [e["versions"] for e in pinned["added"]] == ["18.0.0", "==2.0"]


@pytest.mark.parametrize(
    "words",
    [
        ("allow", "npm", "react"),
        ("allow", "npm", "--reason", "x"),
        ("allow", "cargo", "serde", "--reason", "x"),
        ("allow", "npm", "react", "--pin", "--reason", "x"),
        ("allow", "--from", "README.md", "--reason", "x"),
        ("allow", "--from", "uv.lock", "--versions", "<2", "--reason", "x"),
    ],
)
def test_what_makes_no_sense_is_status_2(appliance: Running, words: tuple[str, ...]) -> None:
    assert appliance.command("policy", *words).exit_code == 2


def test_a_lock_file_is_checked_entry_by_entry(appliance: Running, locks: list[str]) -> None:
    result = appliance.command("check", *locks)
    assert result.exit_code == 1
    assert "refused" in result.stdout
    assert result.stdout.endswith("3 entries, 1 of them would be stopped.\n")
    states = {item["name"]: item["state"] for item in appliance.answer("check", *locks)["items"]}
    assert states == {"react": "absent", "loadsh": "refused", "flask": "absent"}
    assert appliance.command("check", locks[1]).exit_code == 0


def test_a_candidate_is_tried_and_changes_nothing(appliance: Running, tmp_path: Path) -> None:
    candidate = tmp_path / "candidate.toml"
    candidate.write_text('[pypi]\nmode = "allowlist"\n[npm]\nmode = "guarded"\n')
    result = appliance.command("policy", "test", str(candidate), "--since", "1d")
    assert result.exit_code == 0, result.output
    assert "Nothing newly refused." in result.stdout
    assert appliance.answer("policy", "status")["modes"]["pypi"] == "guarded"
    candidate.write_text("[pypi")
    assert appliance.command("policy", "test", str(candidate)).exit_code == 2
    candidate.write_bytes("# für alle".encode("latin-1"))
    wrong = appliance.command("policy", "test", str(candidate))
    assert (wrong.exit_code, "isn't text in UTF-8" in wrong.stderr) == (2, True)


def test_nothing_used_is_nothing_learned(appliance: Running) -> None:
    assert (
        appliance.command("policy", "learn", "--since", "7d").stdout
        == "Nothing public was delivered since.\n"
    )
    assert appliance.command("policy", "learn", "--apply").exit_code == 2


def test_requests_are_listed_and_answered(appliance: Running) -> None:
    assert appliance.command("policy", "requests").stdout == "(none)\n"
    for answer in ("grant", "decline"):
        assert appliance.command("policy", answer, "7", "--reason", "fine").exit_code == 1


def test_the_known_names_are_refreshed_from_a_file(appliance: Running, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("flaskyard\n")
    assert appliance.command("policy", "names", "update", "pypi", str(path)).exit_code == 2
    lines = ["# popular", "flaskyard\t1000", "no name!", *(f"name{number}" for number in range(1_000))]
    path.write_text("\n".join(lines))
    assert appliance.command("policy", "explain", "pypi", "flaskyrad").exit_code == 0
    done = appliance.answer("policy", "names", "update", "pypi", str(path))
    assert done["left_out"] == 1
    assert appliance.command("policy", "explain", "pypi", "flaskyrad").exit_code == 1
    known = {each["ecosystem"]: each["names"] for each in appliance.answer("policy", "names", "status")}
    assert known["pypi"] == done["names"] > 1_000
