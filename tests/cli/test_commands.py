from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from registry.model.events import Event, Kind
from registry.pipeline.operations import Check
from tests.cli.running import Running, command
from tests.identity.world import BY

pytestmark = pytest.mark.loopback


# clock


def test_a_clock_that_was_set_is_told_with_status_1_until_it_is_declared_right(appliance: Running) -> None:
    right = appliance.command("clock", "status")
    assert (right.exit_code, right.stdout[:20]) == (0, "The clock is right: ")
    appliance.world.clock.set(days=-1)
    wrong = appliance.command("clock", "status")
    assert wrong.exit_code == 1
    assert "registry clock accept" in wrong.stdout
    assert appliance.command("clock", "accept", "--reason", " ").exit_code == 2
    assert appliance.command("clock", "accept", "--reason", "it was ahead").exit_code == 0
    assert appliance.answer("clock", "status")["state"] == "right"
    assert appliance.world.admin_details()[-1]["reason"] == "it was ahead"


# policy


def test_a_slip_is_explained_with_the_name_it_resembles_and_status_1(appliance: Running) -> None:
    for ecosystem, slip, known in (("pypi", "requets", "requests"), ("npm", "loadsh", "lodash")):
        result = appliance.command("policy", "explain", ecosystem, slip)
        assert result.exit_code == 1, result.output
        assert result.stdout.startswith(f"{ecosystem}:{slip} is ")
        assert "lookalike: " in result.stdout
        assert f"resembles {known}" in result.stdout
        assert appliance.answer("policy", "explain", ecosystem, slip)["verdict"]["allowed"] is False


def test_a_good_name_passes_with_status_0(appliance: Running) -> None:
    result = appliance.command("policy", "explain", "pypi", "requests")
    assert (result.exit_code, result.stdout.split(" (")[0]) == (0, "pypi:requests may pass")


def test_a_denial_is_made_seen_and_taken_back(appliance: Running) -> None:
    made = appliance.command(
        "policy", "deny", "npm", "react", "--versions", "<2", "--reason", "broken", "--days", "9"
    )
    assert made.exit_code == 0
    assert made.stdout.startswith("Entry 1: deny npm react <2, until ")
    for version, status in (("1.0.0", 1), ("2.0.0", 0)):
        result = appliance.command("policy", "explain", "npm", f"react@{version}")
        assert result.exit_code == status, result.output
        assert "judged by name and version alone" in result.stdout
    listed = appliance.command("policy", "list", "--kind", "deny").stdout.splitlines()
    assert listed[0].split() == [
        "ID",
        "KIND",
        "RULE",
        "ECOSYSTEM",
        "PATTERN",
        "VERSIONS",
        "UNTIL",
        "AUTHOR",
        "REASON",
    ]
    assert listed[1].split()[:5] == ["1", "deny", "npm", "react", "<2"]
    assert appliance.answer("policy", "list", "--ecosystem", "pypi") == []
    gone = appliance.command("policy", "remove", "1", "--reason", "fixed", "--yes")
    assert gone.stdout == "Entry 1 (deny npm react) is out of force.\n"
    assert appliance.command("policy", "list").stdout == "(none)\n"
    assert appliance.command("policy", "remove", "1", "--reason", "fixed", "--yes").exit_code == 1
    assert [d["reason"] for d in appliance.world.admin_details()] == ["broken", "fixed"]


def test_an_exemption_is_for_some_days_and_a_version(appliance: Running) -> None:
    made = appliance.command(
        "policy", "exempt", "age", "npm", "@acme/ui@1.0.0", "--days", "7", "--reason", "fix"
    )
    assert made.stdout.startswith("Entry 1: exempt age npm @acme/ui 1.0.0, until "), made.output
    assert appliance.command("policy", "exempt", "age", "npm", "react", "--reason", "fix").exit_code == 2
    assert appliance.answer("policy", "list", "--kind", "exempt")[0]["rule"] == "age"


def test_an_ecosystem_is_frozen_and_unfrozen_by_one_command_each(appliance: Running) -> None:
    made = appliance.command("policy", "freeze", "npm", "2026-11-01", "--reason", "worm going round")
    assert made.stdout == "Entry 1: freeze npm what was published after 2026-11-01T00:00:00Z.\n", made.output
    gone = appliance.command("policy", "unfreeze", "npm", "--reason", "over")
    assert gone.stdout == "Entry 1: npm is no longer frozen.\n"
    assert appliance.command("policy", "unfreeze", "npm", "--reason", "over").exit_code == 1


def test_allowing_and_claiming_go_through_too(appliance: Running) -> None:
    assert appliance.command("policy", "allow", "npm", "loadsh", "--reason", "ours").exit_code == 0
    assert appliance.command("policy", "explain", "npm", "loadsh").exit_code == 0
    assert (
        appliance.answer("policy", "claim", "npm", "@acme/*", "--reason", "ours")["entry"]["kind"] == "claim"
    )
    result = appliance.command("policy", "explain", "npm", "@acme/ui")
    assert "The name is ours" in result.stdout


def test_a_broken_policy_file_is_told_with_status_1(appliance: Running) -> None:
    assert appliance.command("policy", "status").exit_code == 0
    appliance.world.policy_file = "[pypi"
    made = appliance.command("policy", "deny", "pypi", "left-pad", "--reason", "why")
    assert "policy file is broken" in made.stderr
    status = appliance.command("policy", "status")
    assert status.exit_code == 1
    assert "pypi guarded" in status.stdout
    assert "policy file is broken" in status.stderr
    assert appliance.answer("policy", "status")["problems"]


# the log


def test_the_log_is_shown_newest_first_and_filtered(appliance: Running) -> None:
    world = appliance.world
    artifact = world.keep("@acme/ui", "1.0.0", ecosystem="npm")
    appliance.wait(world.delivered(artifact, "ada"))
    world.clock.advance(seconds=60)
    appliance.wait(world.delivered(world.keep("requests", "2.0"), "bob"))
    lines = appliance.command("audit", "log").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ROW", "2", "1"]
    assert lines[2].split()[2:] == ["delivery", "ada", "npm:@acme/ui@1.0.0", "ui-1.0.0.tgz"]
    one = appliance.answer(
        "audit", "log", "--project", "npm:@acme/ui@1.0.0", "--kind", "delivery", "--kind", "ingest"
    )
    assert [row["seq"] for row in one] == [1]
    later = (world.clock.now() - timedelta(seconds=1)).isoformat()
    assert [r["seq"] for r in appliance.answer("audit", "log", "--since", later)] == [2]
    assert [r["seq"] for r in appliance.answer("audit", "log", "--actor", "ada")] == [1]
    assert [r["seq"] for r in appliance.answer("audit", "log", "--limit", "1")] == [2]


@pytest.mark.parametrize("since", ["yesterday", "7x", ""])
def test_a_time_that_is_none_is_wrong_usage(appliance: Running, since: str) -> None:
    assert appliance.command("audit", "log", "--since", since).exit_code == 2


def test_a_log_row_can_not_drive_the_terminal(appliance: Running) -> None:
    event = Event(
        kind=Kind.REFUSAL, at=appliance.world.clock.now(), actor="\x1b[2Jeve", detail={"agent": "a\nb"}
    )
    appliance.wait(appliance.world.log.record(event))
    assert "?[2Jeve" in appliance.command("audit", "log").stdout
    assert "agent=a?b" in appliance.command("audit", "log").stdout


def test_who_has_a_version_is_found_in_either_ecosystem(appliance: Running) -> None:
    world = appliance.world
    appliance.wait(world.delivered(world.keep("left-pad", "1.0"), "ada"))
    world.clock.advance(seconds=60)
    appliance.wait(world.delivered(world.keep("left-pad", "1.0.0", ecosystem="npm"), "bob"))
    both = appliance.command("audit", "who", "left-pad").stdout.splitlines()
    assert [line.split()[:3] for line in both[1:]] == [
        ["bob", "10.0.0.9", "npm:left-pad"],
        ["ada", "10.0.0.9", "pypi:left-pad"],
    ]
    assert [r["actor"] for r in appliance.answer("audit", "who", "left-pad@1.0")] == ["ada"]
    assert [r["actor"] for r in appliance.answer("audit", "who", "npm:left-pad")] == ["bob"]
    assert appliance.answer("audit", "who", "@acme/ui") == [], "a scope is a name in one of them"
    assert appliance.command("audit", "who", "no name!").exit_code == 2


def test_an_edited_log_is_status_1(appliance: Running) -> None:
    world = appliance.world
    artifact = world.keep("left-pad", "1.0")
    for _ in range(3):
        appliance.wait(world.delivered(artifact, "ada"))
    whole = appliance.command("audit", "verify")
    assert (whole.exit_code, world.log.rows[-1].hash in whole.stdout) == (0, True)
    del world.log.rows[1]
    broken = appliance.command("audit", "verify")
    assert broken.exit_code == 1
    assert "row 2 is missing" in broken.stderr


def test_a_log_is_proved_by_a_checkpoint_an_export_and_the_public_key(
    appliance: Running, tmp_path: Path
) -> None:
    world = appliance.world
    for _ in range(3):
        appliance.wait(world.delivered(world.keep("left-pad", "1.0"), "ada"))
    key, held, export = (tmp_path / name for name in ("key.pem", "held.json", "log.jsonl"))
    key.write_text(appliance.command("audit", "key").stdout)
    held.write_text(appliance.command("audit", "checkpoint").stdout)
    assert appliance.command("audit", "verify", "--checkpoint", str(held)).exit_code == 0
    assert appliance.command("audit", "export", "--output", str(export)).exit_code == 0
    assert export.stat().st_mode & 0o777 == 0o600
    assert appliance.command("audit", "export", "--output", str(export)).exit_code == 2, "never overwritten"

    def offline() -> Result:
        arguments = ["--export", str(export), "--key", str(key), "--checkpoint", str(held)]
        return command("audit", "verify", *arguments, environ={"REGISTRY_URL": None})

    assert offline().exit_code == 0
    pem = key.read_bytes()
    key.write_bytes(b"\xff\xfe" + pem[:40])
    assert (offline().exit_code, "no Ed25519 public key" in offline().stderr) == (2, True)
    key.write_bytes(pem)
    export.write_bytes(export.read_bytes().replace(b"ada", b"eve", 1))
    assert (offline().exit_code, "row 1" in offline().stderr) == (1, True)
    world.log.rows.pop()
    cut = appliance.command("audit", "verify", "--checkpoint", str(held))
    assert (cut.exit_code, "cut off" in cut.stderr) == (1, True)


def test_old_rows_of_the_log_leave_for_a_file(appliance: Running, tmp_path: Path) -> None:
    world = appliance.world
    for _ in range(3):
        appliance.wait(world.delivered(world.keep("left-pad", "1.0"), "ada"))
        world.clock.advance(hours=24)
    before = world.log.rows[2].event.at.isoformat()
    export = tmp_path / "old.jsonl"
    arguments = ["--before", before, "--export", str(export), "--reason", "kept for two days", "--yes"]
    done = appliance.answer("audit", "prune", *arguments)
    assert (done["rows"], done["checkpoint"]["seq"], len(export.read_text().splitlines())) == (2, 2, 2)
    assert [row.seq for row in world.log.rows] == [3, 4]
    assert appliance.command("audit", "verify").exit_code == 0
    again = appliance.command("audit", "prune", *arguments)
    assert (again.exit_code, "No row is that old" in again.stderr) == (1, True)


# recall


def test_a_recall_says_who_has_it_and_is_lifted_by_its_number(appliance: Running) -> None:
    world = appliance.world
    for version, actor in (("3.3.6", "ada"), ("3.3.5", "bob")):
        artifact = world.keep("event-stream", version, ecosystem="npm", held=10)
        appliance.wait(world.delivered(artifact, actor))
    made = appliance.command("recall", "npm:event-stream@3.3.6", "--reason", "steals wallets")
    assert made.exit_code == 0
    assert "ada" in made.stdout
    assert "bob" not in made.stdout
    assert "event-stream-3.3.6.tgz" in made.stdout
    assert "recall" in _rules(appliance, "event-stream@3.3.6")
    assert "recall" not in _rules(appliance, "event-stream@3.3.5")
    assert [e["versions"] for e in appliance.answer("recall", "list")] == ["3.3.6"]
    assert [r["actor"] for r in appliance.answer("recall", "show", "1")["receipts"]] == ["ada"]
    assert appliance.command("recall", "npm:event-stream@3.3.6", "--reason", "again").exit_code == 1
    assert appliance.command("recall", "project", "event-stream", "--reason", "which?").exit_code == 2
    assert appliance.command("recall", "lift", "1", "--reason", "false alarm", "--yes").exit_code == 0
    assert "recall" not in _rules(appliance, "event-stream@3.3.6")


def _rules(appliance: Running, subject: str) -> list[str]:
    verdict = appliance.answer("policy", "explain", "npm", subject)["verdict"]
    return [objection["rule"] for objection in verdict["objections"]]


# users and tokens


def test_a_user_is_made_with_a_password_from_standard_input(appliance: Running) -> None:
    made = appliance.command(
        "user", "add", "ada", "--admin", "--password-stdin", stdin="correct horse\nmore\n"
    )
    assert (made.exit_code, made.stdout) == (0, "User ada is made as an admin.\n")
    users = appliance.world.identity.users
    assert appliance.wait(users.authenticate("ada", "correct horse"))
    changed = appliance.command("user", "passwd", "ada", "--password-stdin", stdin="battery staple\n")
    assert changed.exit_code == 0
    assert appliance.wait(users.authenticate("ada", "battery staple"))
    assert [line.split()[:2] for line in appliance.command("user", "list").stdout.splitlines()] == [
        ["NAME", "ADMIN"],
        ["ada", "yes"],
    ]
    assert appliance.command("user", "remove", "ada", "--yes").exit_code == 0
    assert appliance.command("user", "remove", "ada", "--yes").exit_code == 1
    assert {e.agent.split("/")[0] for e in appliance.world.identity.events} == {"registry-cli"}


def test_a_password_is_typed_twice_at_a_terminal(appliance: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["correct horse", "correct horse", "battery staple", "other staple"]
    monkeypatch.setattr("registry.cli.questions.getpass.getpass", lambda _: typed.pop(0))
    monkeypatch.setattr(
        "registry.cli.questions.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    assert appliance.command("user", "add", "ada").exit_code == 0
    differing = appliance.command("user", "passwd", "ada")
    assert (differing.exit_code, "differ" in differing.stderr) == (2, True)
    assert appliance.wait(appliance.world.identity.users.authenticate("ada", "correct horse"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "add", "bob"),
        ("user", "passwd", "ada"),
        ("user", "remove", "ada"),
        ("token", "revoke", "0"),
        ("policy", "remove", "1", "--reason", "why"),
    ],
    ids=" ".join,
)
def test_without_a_terminal_nothing_is_asked_and_nothing_happens(
    appliance: Running, arguments: tuple[str, ...]
) -> None:
    appliance.wait(appliance.world.identity.users.add("ada", "correct horse", by=BY))
    before = len(appliance.world.identity.events)
    result = appliance.command(*arguments)
    assert result.exit_code == 2
    assert "There is no terminal" in result.stderr
    assert len(appliance.world.identity.events) == before


def test_a_no_at_the_terminal_keeps_the_user(appliance: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    appliance.wait(appliance.world.identity.users.add("ada", "correct horse", by=BY))
    monkeypatch.setattr(
        "registry.cli.questions.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    assert appliance.command("user", "remove", "ada", stdin="n\n").exit_code == 1
    assert "ada" in appliance.world.identity.accounts._accounts
    assert appliance.command("user", "remove", "ada", stdin="y\n").exit_code == 0
    assert "ada" not in appliance.world.identity.accounts._accounts


def test_a_token_is_alone_on_standard_output(appliance: Running) -> None:
    appliance.wait(appliance.world.identity.users.add("ci", "correct horse", by=BY))
    made = appliance.command("token", "create", "ci", "--note", "builds", "--scope", "read", "--days", "7")
    tokens = appliance.world.identity.tokens
    token = appliance.wait(tokens.authenticate(made.stdout.removesuffix("\n")))
    assert token is not None
    assert (token.note, token.scope) == ("builds", "read")
    listed = appliance.command("token", "list", "--account", "ci").stdout
    assert token.id in listed
    assert made.stdout.strip() not in listed
    assert appliance.command("token", "revoke", token.id, "--yes").exit_code == 0
    assert appliance.wait(tokens.authenticate(made.stdout.strip())) is None
    assert appliance.command("token", "create", "nobody").exit_code == 1


# cache and health


def test_the_cache_is_summed_up_and_listed(appliance: Running) -> None:
    world = appliance.world
    world.keep("requests", "1.0", held=3 * 1024 * 1024)
    world.keep("@acme/ui", "1.0.0", ecosystem="npm", held=512)
    assert [line.split() for line in appliance.command("cache", "du").stdout.splitlines()[1:3]] == [
        ["npm", "public", "1", "1", "512", "B"],
        ["pypi", "public", "1", "1", "3.0", "MiB"],
    ]
    listed = appliance.command("cache", "list", "--limit", "1").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["PROJECT", "pypi:requests"]
    assert len(appliance.answer("cache", "list", "--ecosystem", "npm")) == 1
    assert appliance.answer("cache", "du")["bytes"] == 3 * 1024 * 1024 + 512


def test_the_doctor_says_what_to_do_with_status_1(appliance: Running) -> None:
    assert appliance.command("doctor").exit_code == 0
    appliance.world.checks.append(
        Check(name="upstream", ok=False, detail="no answer", remedy="check HTTPS_PROXY")
    )
    ill = appliance.command("doctor")
    assert ill.exit_code == 1
    assert ["upstream", "WRONG", "no", "answer"] in [line.split() for line in ill.stdout.splitlines()]
    assert "upstream: check HTTPS_PROXY" in ill.stderr
    assert appliance.answer("doctor")["ok"] is False


def test_the_cache_is_warmed_from_a_lock_file_and_says_what_it_could_not_do(
    appliance: Running, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("reqeusts==1.0\n")
    done = appliance.command("cache", "warm", str(lock))
    assert (done.exit_code, "1 failed" in done.stdout) == (1, True)
    assert "pypi:reqeusts@1.0" in done.stderr
    assert appliance.command("cache", "warm", str(tmp_path / "none.txt")).exit_code == 2


def test_the_cache_is_tidied_and_checked(appliance: Running) -> None:
    assert appliance.answer("cache", "gc", "--quota", "1GiB", "--dry-run")["state"] == "done"
    assert appliance.command("cache", "gc", "--quota", "much").exit_code == 2
    assert appliance.answer("cache", "scrub", "--anew")["found"]["damaged"] == 0
    assert appliance.answer("cache", "adopt", "--dry-run")["found"]["adopted"] == 0
    assert "0 files" in appliance.command("cache", "adopt").stdout
