import base64

import msgspec
import pytest

from registry.errors import Unauthenticated
from registry.identity.identify import printable
from registry.identity.tokens import Tokens
from registry.model.events import Client
from tests.identity.world import ADMIN_TOKEN, BY, World, basic


async def test_no_header_is_an_anonymous_client(world: World) -> None:
    client = await world.identify(None, "10.0.0.9", "pip/26.3")
    assert client == Client(address="10.0.0.9", agent="pip/26.3")
    assert client.actor == "anonymous@10.0.0.9"


async def test_a_password_names_its_account(world: World) -> None:
    await world.users.add("ada", "correct horse", admin=True, by=BY)
    client = await world.identify(basic("ada", "correct horse"), "10.0.0.9")
    assert client == Client(user="ada", admin=True, may_publish=True, address="10.0.0.9")


@pytest.mark.parametrize("form", ["Bearer {}", "bearer  {}", "__token__"])
async def test_a_token_works_as_a_bearer_and_as_a_password(world: World, form: str) -> None:
    await world.users.add("ada", "correct horse", admin=True, by=BY)
    token, text = await world.tokens.create("ada", by=BY)
    header = basic("__token__", text) if form == "__token__" else form.format(text)
    client = await world.identify(header, "10.0.0.9")
    assert (client.user, client.token, client.may_publish, client.admin) == ("ada", token.id, True, False)


async def test_a_token_can_do_no_more_than_its_scope_and_its_account(world: World) -> None:
    await world.users.add("ada", "correct horse", admin=True, by=BY)
    _, reading = await world.tokens.create("ada", scope="read", by=BY)
    _, ruling = await world.tokens.create("ada", scope="admin", by=BY)
    reader = await world.identify(f"Bearer {reading}", "")
    assert (reader.may_publish, reader.admin) == (False, False)
    assert (await world.identify(f"Bearer {ruling}", "")).admin
    await world.users.remove("ada", by=BY)
    await world.users.add("ada", "correct horse", by=BY)
    with pytest.raises(Unauthenticated):
        await world.identify(f"Bearer {ruling}", "")


async def test_an_admin_token_of_somebody_who_is_no_admin_any_more_is_none(world: World) -> None:
    account = await world.users.add("ada", "correct horse", admin=True, by=BY)
    _, text = await world.tokens.create("ada", scope="admin", by=BY)
    world.accounts._accounts["ada"] = msgspec.structs.replace(account, admin=False)
    client = await world.identify(f"Bearer {text}", "")
    assert (client.user, client.admin) == ("ada", False)


async def test_the_commands_own_token_is_an_admin(world: World) -> None:
    client = await world.identify(f"Bearer {ADMIN_TOKEN}", "127.0.0.1", "registry")
    assert client.admin
    assert client.actor == "admin-token"
    with pytest.raises(Unauthenticated):
        await world.identify(f"Bearer {ADMIN_TOKEN}x", "127.0.0.1")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer rgt_000000000000_" + "A" * 43, "unknown, expired or revoked"),
        ("Bearer ", "unknown"),
        ("Bearer \udcff", "unknown"),
        (basic("ada", "wrong horse"), "user name or the password"),
        (basic("", ""), "user name or the password"),
        (basic("__token__", "nonsense"), "unknown"),
        ("Basic !!", "base64"),
        ("Basic é", "base64"),
        ("Basic " + base64.b64encode(b"no colon").decode(), "no colon"),
        ("Digest x", "Basic and Bearer"),
    ],
)
async def test_a_wrong_header_is_never_an_anonymous_client(world: World, header: str, reason: str) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    with pytest.raises(Unauthenticated, match=reason):
        await world.identify(header, "10.0.0.9")


async def test_a_password_in_latin_1_is_understood(world: World) -> None:
    await world.users.add("ada", "größe8888", by=BY)
    header = "Basic " + base64.b64encode("ada:größe8888".encode("latin-1")).decode()
    assert (await world.identify(header, "")).user == "ada"


async def test_a_repeated_header_reads_no_rows_within_a_second(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    header = basic("ada", "correct horse")
    await world.identify(header, "10.0.0.1")
    world.accounts._accounts.clear()
    assert (await world.identify(header, "10.0.0.2")).address == "10.0.0.2"
    world.clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        await world.identify(header, "10.0.0.1")


async def test_a_revocation_counts_at_once_here_and_within_a_second_elsewhere(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    token, text = await world.tokens.create("ada", by=BY)
    header = f"Bearer {text}"
    await world.identify(header, "")
    await Tokens(world.accounts, world.clock).revoke(token.id, by=BY)
    world.clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        await world.identify(header, "")

    token, text = await world.tokens.create("ada", by=BY)
    header = f"Bearer {text}"
    await world.identify(header, "")
    await world.tokens.revoke(token.id, by=BY)
    with pytest.raises(Unauthenticated):
        await world.identify(header, "")


async def test_a_removed_user_is_nobody_with_the_next_request(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)
    header = basic("ada", "correct horse")
    await world.identify(header, "")
    await world.users.remove("ada", by=BY)
    with pytest.raises(Unauthenticated):
        await world.identify(header, "")


def test_a_user_agent_can_not_forge_lines_or_fill_the_log() -> None:
    assert printable("pip/1\r\n\x1b[31m{}é") == "pip/1[31m{}"
    assert len(printable("x" * 1_000_000)) == 200
