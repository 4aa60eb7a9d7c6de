from datetime import timedelta

import pytest

from registry.errors import Forbidden, Malformed, NotFound
from tests.identity.world import BY, World, actions


@pytest.fixture
async def _ada(world: World) -> None:
    await world.users.add("ada", "correct horse", by=BY)


pytestmark = pytest.mark.usefixtures("_ada")


async def test_a_token_is_known_by_its_text_of_which_only_the_hash_is_kept(world: World) -> None:
    token, text = await world.tokens.create("ada", note="laptop", by=BY)
    assert text.startswith(f"rgt_{token.id}_")
    assert len(text.removeprefix(f"rgt_{token.id}_")) == 43, "256 bits in base64"
    assert await world.tokens.authenticate(text) == token
    kept = str(world.accounts._tokens) + str(world.events)
    assert text.rpartition("_")[2] not in kept


async def test_another_secret_with_a_known_id_is_no_token(world: World) -> None:
    token, text = await world.tokens.create("ada", by=BY)
    assert await world.tokens.authenticate(f"rgt_{token.id}_{'A' * 43}") is None
    for wrong in ("", "rgt_", text[:-1], text + "A", text.upper(), "rgt_000000000000_" + "A" * 43):
        assert await world.tokens.authenticate(wrong) is None


async def test_a_revoked_token_is_none(world: World) -> None:
    token, text = await world.tokens.create("ada", by=BY)
    await world.tokens.revoke(token.id, by=BY)
    assert await world.tokens.authenticate(text) is None
    with pytest.raises(NotFound):
        await world.tokens.revoke("nonesuch", by=BY)


async def test_an_expired_token_is_none(world: World) -> None:
    token, text = await world.tokens.create("ada", days=7, by=BY)
    assert token.expires == world.clock.now() + timedelta(days=7)
    world.clock.advance(seconds=7 * 86_400 - 1)
    assert await world.tokens.authenticate(text)
    world.clock.advance(seconds=1)
    assert await world.tokens.authenticate(text) is None


async def test_tokens_are_listed_by_account_and_go_with_it(world: World) -> None:
    await world.users.add("bob", "correct horse", by=BY)
    token, text = await world.tokens.create("bob", by=BY)
    await world.tokens.create("ada", by=BY)
    assert [t.id for t in await world.tokens.list("bob")] == [token.id]
    assert len(await world.tokens.list()) == 2
    await world.users.remove("bob", by=BY)
    assert await world.tokens.authenticate(text) is None


async def test_a_token_can_not_be_more_than_its_account(world: World) -> None:
    with pytest.raises(Forbidden, match="no admin"):
        await world.tokens.create("ada", scope="admin", by=BY)
    with pytest.raises(NotFound):
        await world.tokens.create("bob", by=BY)


@pytest.mark.parametrize("days", [0, -1, 3_651])
async def test_a_token_lives_a_sensible_time(world: World, days: int) -> None:
    with pytest.raises(Malformed):
        await world.tokens.create("ada", days=days, by=BY)


async def test_every_change_is_logged(world: World) -> None:
    token, _ = await world.tokens.create("ada", note="laptop", by=BY)
    await world.tokens.revoke(token.id, by=BY)
    await world.tokens.revoke(token.id, by=BY)
    assert actions(world.events)[1:] == [("token.create", token.id), ("token.revoke", token.id)]
    assert world.events[-1].detail["account"] == "ada"
