"""The operations of the API, one line each in `ENDPOINTS`, and what each does.

An operation needs an admin unless its line says otherwise. Only POST, PUT and DELETE change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from registry.errors import Malformed
from registry.model.accounts import Account, PolicyEntry
from registry.model.advisories import AdvisoryStanding
from registry.model.checkpoints import Checkpoint
from registry.model.events import Client
from registry.model.petitions import Petition
from registry.model.warehouse import Kept
from registry.pipeline.audit_operations import Exported, Pruned, Verification
from registry.pipeline.foresight import Replay
from registry.pipeline.jobs import Job
from registry.pipeline.name_operations import NameList
from registry.pipeline.offline_operations import Connectedness
from registry.pipeline.policy_operations import Standing
from registry.pipeline.recall_operations import Recall
from registry.web import answers, asks
from registry.web.desk import Desk
from registry.web.openapi import Endpoint
from registry.web.private_endpoints import PRIVATE_ENDPOINTS

T = TypeVar("T")
LOCK_FILES = 8 * 2**20
"""Bytes of the entries of lock files: tens of thousands of them."""


async def _whoami(_: Desk, __: asks.Nothing, by: Client) -> answers.WhoAmI:
    return answers.WhoAmI.of(by)


async def _doctor(desk: Desk, _: asks.Nothing, __: Client) -> answers.Health:
    checks = tuple(await desk.doctor())
    return answers.Health(ok=all(check.ok for check in checks), checks=checks)


async def _policy_status(desk: Desk, _: asks.Nothing, __: Client) -> Standing:
    return await desk.policy.status()


async def _policy_explain(desk: Desk, ask: asks.ExplainAsk, _: Client) -> answers.Explained:
    return answers.Explained.of(await desk.policy.explain(ask.ecosystem, ask.name, ask.version))


async def _policy_entries(desk: Desk, ask: asks.EntriesAsk, _: Client) -> answers.EntryPage:
    found = [
        entry
        for entry in await desk.policy.entries()
        if ask.ecosystem in {None, entry.ecosystem} and ask.kind in {None, entry.kind}
    ]
    items, following = _page(found, ask)
    return answers.EntryPage(items=items, next=following)


async def _policy_add(desk: Desk, ask: asks.NewEntry, by: Client) -> answers.Decreed:
    entry = await desk.policy.add(ask, by=by)
    return answers.Decreed(entry=entry, problems=desk.policy.problems)


async def _policy_remove(desk: Desk, ask: asks.EntryRemoval, by: Client) -> answers.Decreed:
    entry = await desk.policy.remove(ask.id, reason=ask.reason, by=by)
    return answers.Decreed(entry=entry, problems=desk.policy.problems)


async def _recall(desk: Desk, ask: asks.NewRecall, by: Client) -> Recall:
    return await desk.recalls.recall(ask.ecosystem, ask.name, ask.version, reason=ask.reason, by=by)


async def _recalls(desk: Desk, ask: asks.Paged, _: Client) -> answers.EntryPage:
    items, following = _page(await desk.recalls.recalls(), ask)
    return answers.EntryPage(items=items, next=following)


async def _recall_shown(desk: Desk, ask: asks.NumberAsk, _: Client) -> Recall:
    return await desk.recalls.show(ask.id)


async def _recall_lifted(desk: Desk, ask: asks.EntryRemoval, by: Client) -> PolicyEntry:
    return await desk.recalls.lift(ask.id, reason=ask.reason, by=by)


async def _offline(desk: Desk, _: asks.Nothing, __: Client) -> Connectedness:
    return await desk.offline.status()


async def _offline_turn(desk: Desk, ask: asks.Disconnection, by: Client) -> Connectedness:
    return await desk.offline.turn(on=ask.on, reason=ask.reason, by=by)


async def _policy_allow_all(desk: Desk, ask: asks.AllowList, by: Client) -> answers.Allowed:
    allowing = await desk.policy.allow_all(
        ask.pins, reason=ask.reason, days=ask.days, dry_run=ask.dry_run, by=by
    )
    return answers.Allowed.of(allowing, desk.policy.problems)


async def _policy_used(desk: Desk, ask: asks.SinceAsk, _: Client) -> answers.UsedAll:
    return answers.UsedAll(items=await desk.foresight.used(_zoned(ask.since)))


async def _policy_replay(desk: Desk, ask: asks.ReplayAsk, _: Client) -> Replay:
    return await desk.foresight.replay(ask.text, _zoned(ask.since))


async def _check(desk: Desk, ask: asks.CheckAsk, _: Client) -> answers.CheckedAll:
    items = await desk.foresight.check(ask.pins)
    return answers.CheckedAll(ok=all(each.state in {"allowed", "absent"} for each in items), items=items)


def _zoned(since: datetime) -> datetime:
    if since.tzinfo is None:
        raise Malformed("`since` needs a time zone, like 2026-11-21T00:00:00Z.")
    return since


async def _names(desk: Desk, _: asks.Nothing, __: Client) -> answers.NameLists:
    return answers.NameLists(items=desk.names.lists())


async def _names_update(desk: Desk, ask: asks.NamesUpdate, by: Client) -> NameList:
    return await desk.names.update(ask.ecosystem, ask.text, by=by)


async def _petitions(desk: Desk, ask: asks.PetitionsAsk, _: Client) -> answers.PetitionPage:
    items, following = _page(await desk.petitions.petitions(ask.state), ask)
    return answers.PetitionPage(items=items, next=following)


async def _petition_grant(desk: Desk, ask: asks.PetitionGrant, by: Client) -> Petition:
    return await desk.petitions.grant(ask.id, reason=ask.reason, days=ask.days, by=by)


async def _petition_decline(desk: Desk, ask: asks.PetitionAnswer, by: Client) -> Petition:
    return await desk.petitions.decline(ask.id, reason=ask.reason, by=by)


async def _advisories(desk: Desk, _: asks.Nothing, __: Client) -> AdvisoryStanding:
    return desk.advisories.standing()


async def _advisories_put(desk: Desk, ask: asks.AdvisoryBatch, _: Client) -> answers.AdvisoryNews:
    return answers.AdvisoryNews(news=await desk.advisories.put(ask.records))


async def _advisories_settle(desk: Desk, ask: asks.AdvisoryImport, by: Client) -> AdvisoryStanding:
    return await desk.advisories.settle(source=ask.source, read=ask.read, news=ask.news, by=by)


async def _refusal(desk: Desk, ask: asks.ById, _: Client) -> answers.RefusalExplained:
    decision, first = await desk.operations.refusal(ask.id)
    return answers.RefusalExplained(id=ask.id, verdict=answers.Verdict.of(decision), first=first)


async def _audit_log(desk: Desk, ask: asks.LogAsk, _: Client) -> answers.EventPage:
    rows = await desk.operations.audit_log(
        kinds=[kind for kind in ask.kinds.split(",") if kind],
        ecosystem=ask.ecosystem,
        name=ask.name,
        version=ask.version,
        actor=ask.actor,
        since=None if ask.since is None else _zoned(ask.since),
        before=ask.before,
        limit=ask.limit,
    )
    return answers.EventPage(items=rows, next=rows[-1].seq if len(rows) == ask.limit else None)


async def _audit_who(desk: Desk, ask: asks.WhoAsk, _: Client) -> answers.ReceiptPage:
    found = await desk.operations.audit_who(ask.ecosystem, ask.name, ask.version)
    items, following = _page(found, ask)
    return answers.ReceiptPage(items=items, next=following)


async def _audit_verify(desk: Desk, ask: asks.HeldCheckpoint, _: Client) -> Verification:
    held = Checkpoint(
        kind=ask.kind, seq=ask.seq, hash=ask.hash, at=ask.at, key=ask.key, signature=ask.signature
    )
    return await desk.audit.verify([held] if ask.seq else [])


async def _audit_key(desk: Desk, _: asks.Nothing, __: Client) -> answers.LogKey:
    return answers.LogKey(pem=desk.audit.public_key, fingerprint=desk.audit.fingerprint)


async def _audit_checkpoint(desk: Desk, _: asks.Nothing, __: Client) -> Checkpoint:
    return await desk.audit.checkpoint()


async def _audit_export(desk: Desk, ask: asks.ExportAsk, _: Client) -> Exported:
    return await desk.audit.export(ask.after, ask.limit, ask.through)


async def _audit_before(desk: Desk, ask: asks.BeforeAsk, _: Client) -> answers.RowNumber:
    if ask.at.tzinfo is None:
        raise Malformed("`at` needs a time zone, like 2026-11-21T00:00:00Z.")
    return answers.RowNumber(seq=await desk.audit.before(ask.at))


async def _audit_prune(desk: Desk, ask: asks.Pruning, by: Client) -> Pruned:
    return await desk.audit.prune(ask.through, ask.hash, reason=ask.reason, by=by)


async def _users_list(desk: Desk, ask: asks.Paged, _: Client) -> answers.AccountPage:
    items, following = _page(await desk.users.list(), ask)
    return answers.AccountPage(items=items, next=following)


async def _users_add(desk: Desk, ask: asks.NewUser, by: Client) -> Account:
    return await desk.users.add(ask.name, ask.password, admin=ask.admin, by=by)


async def _users_passwd(desk: Desk, ask: asks.NewPassword, by: Client) -> Account:
    return await desk.users.passwd(ask.name, ask.password, by=by)


async def _users_remove(desk: Desk, ask: asks.ByName, by: Client) -> Account:
    return await desk.users.remove(ask.name, by=by)


async def _tokens_list(desk: Desk, ask: asks.TokensAsk, _: Client) -> answers.TokenPage:
    items, following = _page(await desk.tokens.list(ask.account), ask)
    return answers.TokenPage(items=tuple(map(answers.TokenShown.of, items)), next=following)


async def _tokens_create(desk: Desk, ask: asks.NewToken, by: Client) -> answers.TokenMade:
    token, text = await desk.tokens.create(ask.account, note=ask.note, scope=ask.scope, days=ask.days, by=by)
    return answers.TokenMade(token=answers.TokenShown.of(token), text=text)


async def _tokens_revoke(desk: Desk, ask: asks.ById, by: Client) -> answers.TokenShown:
    return answers.TokenShown.of(await desk.tokens.revoke(ask.id, by=by))


async def _cache_kept(desk: Desk, _: asks.Nothing, __: Client) -> Kept:
    return await desk.cache.measure()


async def _cache_collect(desk: Desk, ask: asks.Collecting, by: Client) -> Job:
    return desk.cache.collect(quota=ask.quota, dry_run=ask.dry_run, by=by)


async def _cache_scrub(desk: Desk, ask: asks.Scrubbing, _: Client) -> Job:
    return desk.cache.scrub(anew=ask.anew)


async def _cache_warm(desk: Desk, ask: asks.Warming, _: Client) -> Job:
    return desk.cache.warm(ask.wishes, dry_run=ask.dry_run)


async def _job(desk: Desk, ask: asks.ById, _: Client) -> Job:
    return desk.cache.job(ask.id)


async def _job_cancelled(desk: Desk, ask: asks.ById, _: Client) -> Job:
    return await desk.cache.cancel(ask.id)


async def _cache_list(desk: Desk, ask: asks.CacheAsk, _: Client) -> answers.CachePage:
    items, following = _page(await desk.operations.cache_list(ask.ecosystem), ask)
    return answers.CachePage(items=items, next=following)


async def _cache_usage(desk: Desk, _: asks.Nothing, __: Client) -> answers.CacheUsage:
    found: dict[tuple[str, str], answers.Usage] = {}
    for cached in await desk.operations.cache_list():
        key = (cached.project.ecosystem, cached.origin)
        so_far = found.get(key) or answers.Usage(
            ecosystem=key[0], origin=key[1], projects=0, files=0, bytes=0
        )
        found[key] = msgspec.structs.replace(
            so_far,
            projects=so_far.projects + 1,
            files=so_far.files + cached.files,
            bytes=so_far.bytes + cached.bytes,
        )
    items = tuple(found[key] for key in sorted(found))
    return answers.CacheUsage(items=items, bytes=sum(usage.bytes for usage in items))


def _page(items: Sequence[T], ask: asks.Paged | asks.WhoAsk) -> tuple[tuple[T, ...], int | None]:
    """The part of a list that is asked for, and the offset of the next part."""
    end = ask.offset + ask.limit
    return tuple(items[ask.offset : end]), end if end < len(items) else None


ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    Endpoint(
        "GET", "/whoami", "Who these credentials name", asks.Nothing, answers.WhoAmI, _whoami, role="reader"
    ),
    Endpoint(
        "GET",
        "/doctor",
        "Every part looked at, with a remedy for what is wrong",
        asks.Nothing,
        answers.Health,
        _doctor,
    ),
    Endpoint("GET", "/policy", "The policy in force", asks.Nothing, Standing, _policy_status),
    Endpoint(
        "GET",
        "/policy/explain",
        "Every objection against a name or a version",
        asks.ExplainAsk,
        answers.Explained,
        _policy_explain,
    ),
    Endpoint(
        "GET",
        "/policy/entries",
        "What operators allowed, denied, claimed, froze and exempted",
        asks.EntriesAsk,
        answers.EntryPage,
        _policy_entries,
    ),
    Endpoint(
        "POST",
        "/policy/entries",
        "Allow, deny or claim a name or glob, freeze an ecosystem, exempt from a rule",
        asks.NewEntry,
        answers.Decreed,
        _policy_add,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/policy/entries/{id}",
        "Take an entry out of force",
        asks.EntryRemoval,
        answers.Decreed,
        _policy_remove,
    ),
    Endpoint(
        "POST",
        "/recalls",
        "Refuse what is here already, from now on, and list who has it",
        asks.NewRecall,
        Recall,
        _recall,
        status=201,
    ),
    Endpoint("GET", "/recalls", "Recalls in force", asks.Paged, answers.EntryPage, _recalls),
    Endpoint(
        "GET",
        "/recalls/{id}",
        "A recall, and who has what it is about",
        asks.NumberAsk,
        Recall,
        _recall_shown,
    ),
    Endpoint("DELETE", "/recalls/{id}", "End a recall", asks.EntryRemoval, PolicyEntry, _recall_lifted),
    Endpoint("GET", "/offline", "Whether upstreams are asked", asks.Nothing, Connectedness, _offline),
    Endpoint(
        "PUT",
        "/offline",
        "Ask no upstream any more, or ask again",
        asks.Disconnection,
        Connectedness,
        _offline_turn,
    ),
    Endpoint(
        "POST",
        "/policy/allow",
        "Allow everything that lock files name",
        asks.AllowList,
        answers.Allowed,
        _policy_allow_all,
        largest=LOCK_FILES,
    ),
    Endpoint(
        "GET",
        "/policy/used",
        "Public projects that were delivered",
        asks.SinceAsk,
        answers.UsedAll,
        _policy_used,
    ),
    Endpoint(
        "POST",
        "/policy/test",
        "What another policy.toml would have done",
        asks.ReplayAsk,
        Replay,
        _policy_replay,
        largest=2**20,
    ),
    Endpoint(
        "POST",
        "/check",
        "What the entries of a lock file would meet",
        asks.CheckAsk,
        answers.CheckedAll,
        _check,
        role="reader",
        largest=LOCK_FILES,
    ),
    Endpoint("GET", "/policy/names", "The lists of known names", asks.Nothing, answers.NameLists, _names),
    Endpoint(
        "PUT",
        "/policy/names",
        "Put another list of known names in force",
        asks.NamesUpdate,
        NameList,
        _names_update,
        largest=LOCK_FILES,
    ),
    Endpoint(
        "GET",
        "/policy/requests",
        "What people ask to let pass",
        asks.PetitionsAsk,
        answers.PetitionPage,
        _petitions,
    ),
    Endpoint(
        "PUT",
        "/policy/requests/{id}/granted",
        "Let pass what was asked for",
        asks.PetitionGrant,
        Petition,
        _petition_grant,
    ),
    Endpoint(
        "PUT",
        "/policy/requests/{id}/declined",
        "Say no to a request",
        asks.PetitionAnswer,
        Petition,
        _petition_decline,
    ),
    Endpoint(
        "GET", "/advisories", "How many advisories, and how old", asks.Nothing, AdvisoryStanding, _advisories
    ),
    Endpoint(
        "POST",
        "/advisories",
        "Bring in a batch of advisories",
        asks.AdvisoryBatch,
        answers.AdvisoryNews,
        _advisories_put,
        largest=2**20,
    ),
    Endpoint(
        "POST",
        "/advisories/settle",
        "End an import, and put it in force",
        asks.AdvisoryImport,
        AdvisoryStanding,
        _advisories_settle,
    ),
    Endpoint(
        "GET",
        "/refusals/{id}",
        "The decision behind a /why/ address",
        asks.ById,
        answers.RefusalExplained,
        _refusal,
        role="public",
    ),
    Endpoint(
        "GET", "/audit/log", "Rows of the log, newest first", asks.LogAsk, answers.EventPage, _audit_log
    ),
    Endpoint(
        "GET", "/audit/who", "Who was given files of a project", asks.WhoAsk, answers.ReceiptPage, _audit_who
    ),
    Endpoint(
        "GET",
        "/audit/verify",
        "Whether the log is whole, and fits its checkpoints and one that is held elsewhere",
        asks.HeldCheckpoint,
        Verification,
        _audit_verify,
    ),
    Endpoint(
        "GET", "/audit/key", "What checkpoints are verified by", asks.Nothing, answers.LogKey, _audit_key
    ),
    Endpoint(
        "POST",
        "/audit/checkpoints",
        "A signed checkpoint about the log's newest row",
        asks.Nothing,
        Checkpoint,
        _audit_checkpoint,
    ),
    Endpoint(
        "GET",
        "/audit/export",
        "Rows of the log as lines, oldest first",
        asks.ExportAsk,
        Exported,
        _audit_export,
    ),
    Endpoint(
        "GET",
        "/audit/before",
        "The last row that can be taken out to leave what happened since then",
        asks.BeforeAsk,
        answers.RowNumber,
        _audit_before,
    ),
    Endpoint(
        "POST",
        "/audit/prune",
        "Put a signed checkpoint in the place of the oldest rows, which were exported",
        asks.Pruning,
        Pruned,
        _audit_prune,
    ),
    Endpoint("GET", "/users", "All accounts", asks.Paged, answers.AccountPage, _users_list),
    Endpoint("POST", "/users", "Make an account", asks.NewUser, Account, _users_add, status=201),
    Endpoint(
        "PUT",
        "/users/{name}/password",
        "Give an account another password",
        asks.NewPassword,
        Account,
        _users_passwd,
    ),
    Endpoint(
        "DELETE",
        "/users/{name}",
        "Remove an account and revoke its tokens",
        asks.ByName,
        Account,
        _users_remove,
    ),
    Endpoint(
        "GET",
        "/tokens",
        "All tokens, or those of one account",
        asks.TokensAsk,
        answers.TokenPage,
        _tokens_list,
    ),
    Endpoint(
        "POST",
        "/tokens",
        "Make a token; its text is in this answer only",
        asks.NewToken,
        answers.TokenMade,
        _tokens_create,
        status=201,
    ),
    Endpoint("DELETE", "/tokens/{id}", "Revoke a token", asks.ById, answers.TokenShown, _tokens_revoke),
    Endpoint(
        "GET",
        "/cache",
        "Projects with files held, the largest first",
        asks.CacheAsk,
        answers.CachePage,
        _cache_list,
    ),
    Endpoint("GET", "/cache/volume", "What lies on the volume", asks.Nothing, Kept, _cache_kept),
    Endpoint(
        "POST",
        "/cache/gc",
        "Remove what no row names, then the least recently used beyond the quota",
        asks.Collecting,
        Job,
        _cache_collect,
        status=202,
    ),
    Endpoint(
        "POST", "/cache/scrub", "Check every file, and heal it", asks.Scrubbing, Job, _cache_scrub, status=202
    ),
    Endpoint(
        "POST",
        "/cache/warm",
        "Bring versions in before they are asked for",
        asks.Warming,
        Job,
        _cache_warm,
        status=202,
        largest=LOCK_FILES,
    ),
    Endpoint("GET", "/jobs/{id}", "How a job stands", asks.ById, Job, _job),
    Endpoint("DELETE", "/jobs/{id}", "Call a job off", asks.ById, Job, _job_cancelled),
    Endpoint(
        "GET",
        "/cache/usage",
        "What the cache takes, by ecosystem and origin",
        asks.Nothing,
        answers.CacheUsage,
        _cache_usage,
    ),
    *PRIVATE_ENDPOINTS,
)
