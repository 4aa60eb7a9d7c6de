"""Accounts: rows of people and tokens, each change logged."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from registry.errors import Conflict, NotFound
from registry.model.accounts import Account, Token
from registry.model.events import Kind
from registry.model.ports import Accounts, ProvenanceLog
from tests.contracts.conftest import Ports
from tests.specimens import NOW, event

ADA = Account(name="ada", admin=True, created=NOW)
BOB = Account(name="bob", created=NOW)
TOKEN = Token(
    id="t1",
    account="ada",
    secret_sha256="ab" * 32,
    note="ci",
    scope="read",
    created=NOW,
    expires=NOW + timedelta(days=30),
)
ACT = event(Kind.ADMIN, project=None)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def accounts(ports: Ports) -> Accounts:
    return ports.accounts


@pytest.fixture
def log(ports: Ports) -> ProvenanceLog:
    return ports.log


async def test_accounts_are_told_by_name(accounts: Accounts) -> None:
    await accounts.put_account(BOB, ACT)
    await accounts.put_account(ADA, ACT)
    assert await accounts.accounts() == (ADA, BOB)


async def test_putting_an_account_again_replaces_it(accounts: Accounts) -> None:
    await accounts.put_account(ADA, ACT)
    demoted = msgspec.structs.replace(ADA, admin=False)
    await accounts.put_account(demoted, ACT)
    assert await accounts.accounts() == (demoted,)


async def test_a_token_comes_back_as_it_was(accounts: Accounts) -> None:
    await accounts.put_token(TOKEN, ACT)
    assert await accounts.token("t1") == TOKEN
    assert await accounts.token("t2") is None


async def test_an_id_is_given_once(accounts: Accounts) -> None:
    await accounts.put_token(TOKEN, ACT)
    with pytest.raises(Conflict):
        await accounts.put_token(TOKEN, ACT)


async def test_tokens_are_told_newest_first_also_of_one_account(accounts: Accounts) -> None:
    newer = msgspec.structs.replace(TOKEN, id="t2", account="bob", created=LATER)
    await accounts.put_token(TOKEN, ACT)
    await accounts.put_token(newer, ACT)
    assert await accounts.tokens() == (newer, TOKEN)
    assert await accounts.tokens("ada") == (TOKEN,)


async def test_a_revoked_token_stays_in_the_list(accounts: Accounts) -> None:
    await accounts.put_token(TOKEN, ACT)
    await accounts.revoke_token("t1", LATER, ACT)
    assert await accounts.tokens() == (msgspec.structs.replace(TOKEN, revoked=LATER),)


async def test_only_a_token_in_force_can_be_revoked(accounts: Accounts) -> None:
    await accounts.put_token(TOKEN, ACT)
    await accounts.revoke_token("t1", LATER, ACT)
    for token_id in ("t1", "t2"):
        with pytest.raises(NotFound):
            await accounts.revoke_token(token_id, LATER, ACT)


async def test_removing_an_account_revokes_its_tokens(accounts: Accounts) -> None:
    await accounts.put_account(ADA, ACT)
    await accounts.put_token(TOKEN, ACT)
    await accounts.remove_account("ada", event(Kind.ADMIN, at=LATER))
    token = await accounts.token("t1")
    assert token is not None
    assert token.revoked == LATER
    assert await accounts.accounts() == ()


async def test_what_is_not_there_can_not_be_removed(accounts: Accounts, log: ProvenanceLog) -> None:
    with pytest.raises(NotFound):
        await accounts.remove_account("ada", ACT)
    assert await log.events() == ()


async def test_every_change_is_logged(accounts: Accounts, log: ProvenanceLog) -> None:
    await accounts.put_account(ADA, ACT)
    await accounts.put_token(TOKEN, ACT)
    await accounts.revoke_token("t1", LATER, ACT)
    await accounts.remove_account("ada", ACT)
    assert len(await log.events(kinds=["admin"])) == 4
