import asyncio
import stat
from pathlib import Path

import msgspec
import pytest

from registry.errors import Conflict, Malformed, NotFound, Unauthenticated, Unavailable
from registry.identity.users import AT_ONCE, parse_user_name
from tests.identity.world import BY, World, actions


async def test_the_right_password_gives_the_account_and_a_wrong_one_nothing(world: World) -> None:
    account = await world.users.add("ada", "correct horse", by=BY)
    assert await world.users.authenticate("ada", "correct horse") == account
    assert await world.users.authenticate("ada", "wrong horse") is None
    assert await world.users.authenticate("bob", "correct horse") is None


async def test_the_file_holds_bcrypt_hashes_that_only_its_owner_may_read(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    assert world.htpasswd.read_text().startswith("ada:$2y$04$")
    assert stat.S_IMODE(world.htpasswd.stat().st_mode) == 0o600
    assert [p.name for p in world.folder.iterdir() if p.name.startswith(".htpasswd.")] == [".htpasswd.lock"]


async def test_a_change_by_another_process_counts_at_once(world: World) -> None:
    other = world.process()
    await other.add("ada", "correct horse", by=BY)
    assert await world.users.authenticate("ada", "correct horse")
    await other.passwd("ada", "battery staple", by=BY)
    assert await world.users.authenticate("ada", "correct horse") is None
    assert await world.users.authenticate("ada", "battery staple")


async def test_a_removed_user_can_not_log_in_although_the_password_was_remembered(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    assert await world.users.authenticate("ada", "correct horse")
    await world.users.remove("ada", by=BY)
    assert await world.users.authenticate("ada", "correct horse") is None
    assert "ada" not in world.htpasswd.read_text()
    with pytest.raises(NotFound):
        await world.users.remove("ada", by=BY)


async def test_a_line_without_an_account_is_no_login(world: World) -> None:
    account = await world.users.add("ada", "correct horse", by=BY)
    del world.accounts._accounts[account.name]
    assert await world.users.authenticate("ada", "correct horse") is None


async def test_lines_that_others_wrote_survive_a_change_and_plain_text_is_no_password(world: World) -> None:
    world.htpasswd.write_text("# kept\neve:letmein99\n")
    account = await world.users.add("ada", "correct horse", by=BY)
    world.accounts._accounts["eve"] = msgspec.structs.replace(account, name="eve")
    assert world.htpasswd.read_text().startswith("# kept\neve:letmein99\nada:")
    assert await world.users.authenticate("eve", "letmein99") is None
    world.htpasswd.write_text(
        world.htpasswd.read_text().replace("eve:letmein99", "bob:x").replace("ada:", "eve:")
    )
    assert await world.users.authenticate("eve", "correct horse"), "with a real hash she could"


async def test_a_broken_file_stops_logins_and_says_so(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    world.htpasswd.write_text("no colon here\n")
    with pytest.raises(Unavailable, match="htpasswd file"):
        await world.users.authenticate("ada", "correct horse")


@pytest.fixture
def hashed(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were put through bcrypt so far."""
    passwords: list[str] = []
    matches = world.users._file.matches

    def counted(password: str, found: str | None) -> bool:
        passwords.append(password)
        return matches(password, found)

    monkeypatch.setattr(world.users._file, "matches", counted)
    return passwords


async def test_a_right_password_is_hashed_once_in_five_minutes(world: World, hashed: list[str]) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    for _ in range(3):
        assert await world.users.authenticate("ada", "correct horse")
    assert len(hashed) == 1
    world.clock.advance(seconds=300)
    assert await world.users.authenticate("ada", "correct horse")
    assert len(hashed) == 2
    assert await world.users.authenticate("nobody", "correct horse") is None
    assert len(hashed) == 3, "a user that isn't there must cost as much as one that is"


async def test_many_at_once_with_one_password_are_hashed_once(
    world: World, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    monkeypatch.setattr(world.users, "_hashing", asyncio.Semaphore(1))
    assert all(await asyncio.gather(*(world.users.authenticate("ada", "correct horse") for _ in range(5))))
    assert len(hashed) == 1


async def test_guesses_made_at_once_are_locked_out_too(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    guesses = (world.users.authenticate("ada", f"guess {n}", address="10.0.0.9") for n in range(30))
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    tried = sum(answer is None for answer in answers)
    assert tried <= 6 + AT_ONCE, "some were under way when the lock-out began"
    assert sum(isinstance(answer, Unauthenticated) for answer in answers) == 30 - tried


async def test_guessing_is_locked_out_longer_and_longer_and_alarmed(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    for _ in range(6):
        assert await world.users.authenticate("ada", "guess", address="10.0.0.9") is None
    with pytest.raises(Unauthenticated, match="try again in 1 s"):
        await world.users.authenticate("ada", "correct horse", address="10.0.0.9")
    assert await world.users.authenticate("ada", "correct horse", address="10.0.0.7"), "others aren't locked"
    world.clock.advance(seconds=1)
    assert await world.users.authenticate("ada", "guess", address="10.0.0.9") is None
    with pytest.raises(Unauthenticated, match="try again in 2 s"):
        await world.users.authenticate("ada", "guess", address="10.0.0.9")
    assert [(e.detail["subject"], e.detail["seconds"], e.address) for e in world.alarms] == [
        ("ada", 1, "10.0.0.9"),
        ("ada", 2, "10.0.0.9"),
    ]


async def test_trying_many_names_locks_the_address(world: World) -> None:
    for number in range(51):
        assert await world.users.authenticate(f"user{number}", "guess", address="10.0.0.9") is None
    with pytest.raises(Unauthenticated):
        await world.users.authenticate("another", "guess", address="10.0.0.9")


async def test_a_password_typed_as_the_user_name_is_not_logged(world: World) -> None:
    for _ in range(6):
        await world.users.authenticate("Secret Passphrase!", "", address="10.0.0.9")
    assert [e.detail["subject"] for e in world.alarms] == ["(not a user name)"]


async def test_every_change_is_logged_with_who_made_it(world: World) -> None:
    await world.users.add("ada", "correct horse", admin=True, by=BY)
    await world.users.passwd("ada", "battery staple", by=BY)
    await world.users.remove("ada", by=BY)
    assert actions(world.events) == [
        ("user.add", "ada"),
        ("user.passwd", "ada"),
        ("user.remove", "ada"),
    ]
    assert {(e.actor, e.address) for e in world.events} == {("admin", "127.0.0.1")}
    assert world.events[0].detail["admin"] is True
    assert not any("horse" in str(e.detail) for e in world.events)


async def test_a_user_that_exists_is_not_added_again(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    with pytest.raises(Conflict, match="registry user passwd ada"):
        await world.users.add("ada", "battery staple", by=BY)
    with pytest.raises(NotFound):
        await world.users.passwd("bob", "battery staple", by=BY)


@pytest.mark.parametrize("password", ["short", "x" * 73, "with\0nul-in-it", "ü" * 37])
async def test_passwords_that_bcrypt_would_not_take_whole_are_refused(world: World, password: str) -> None:
    with pytest.raises(Malformed, match="8 to 72 bytes"):
        await world.users.add("ada", password, by=BY)
    await world.users.add("ada", "correct horse", by=BY)
    assert await world.users.authenticate("ada", password) is None


@pytest.mark.parametrize("name", ["ada", "ci-bot", "a.b_c", "0x", "a" * 63])
def test_names_that_every_client_can_carry_are_accepted(name: str) -> None:
    assert parse_user_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "__token__",
        "Ada",
        "a:b",
        "a b",
        "a/b",
        ".ada",
        "-ada",
        "ad\n",
        "ada\n",
        "ädä",
        "a" * 64,
        "admin-token",
        "a%b",
    ],
)
def test_names_that_some_client_can_not_carry_are_refused(name: str) -> None:
    with pytest.raises(Malformed):
        parse_user_name(name)


async def test_the_first_run_makes_an_admin_with_a_password_in_a_private_file(
    world: World, tmp_path: Path
) -> None:
    path = await world.users.ensure_admin(tmp_path)
    assert path == tmp_path / "keys" / "admin-password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    account = await world.users.authenticate("admin", path.read_text().strip())
    assert account is not None
    assert account.admin
    assert await world.users.ensure_admin(tmp_path) is None, "there is an account now"
