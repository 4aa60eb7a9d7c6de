"""The policy in force, as the line sees it: read anew on every request, swapped in one assignment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registry.errors import ConfigurationError, RegistryError
from registry.model.advisories import Advisory
from registry.model.artifacts import Artifact
from registry.model.decisions import Decision
from registry.model.ecosystem import Ecosystem
from registry.model.editions import OwnEdition
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock, Edition, PolicyStore, ProvenanceLog
from registry.pipeline.orders import Rules
from registry.policy import engine
from registry.policy.advisories import KnownAdvisories
from registry.policy.loader import NO_ADVISORIES, parse_policy
from registry.policy.names import KnownNames, brought_names

journal = logging.getLogger("registry.policy")


class Policy(Protocol):
    """What the line asks of a policy."""

    @property
    def revision(self) -> str:
        """Differs whenever any decision could."""

    def ours(self, project: Project) -> bool:
        """Whether the name is private: claimed, reserved by a pattern, or first published here."""

    def decide_project(self, project: Project, now: datetime) -> Decision:
        """About a name, before any network."""

    def decide_artifact(self, artifact: Artifact, first_seen: datetime | None, now: datetime) -> Decision:
        """About one file, with what is known about it."""

    def decide_publication(
        self, project: Project, version: str, known_public: bool, now: datetime
    ) -> Decision:
        """About an upload."""

    def artifact_rules(self, project: Project) -> Rules:
        """The part that a worker process needs."""


class PolicyInForce(Protocol):
    """Where the current policy is read."""

    @property
    def current(self) -> Policy:
        """The policy in force."""

    async def reload(self) -> None:
        """Read file, rows and private names again, and swap; a broken file leaves the last good one."""


class Copy(Protocol):
    """Where the text of the last good policy file outlives this process."""

    def read(self) -> str | None:
        """The text that was kept last. Blocks."""

    def keep(self, text: str) -> None:
        """Keep a text. Blocks; raises Unavailable."""


class JoinedPolicy:
    """policy.toml, the operators' rows and the names published here, joined into the policy in force."""

    def __init__(
        self,
        *,
        read_file: Callable[[], str],
        store: PolicyStore,
        catalogue: Catalogue,
        log: ProvenanceLog,
        ecosystems: Mapping[str, Ecosystem],
        known: Mapping[str, KnownNames],
        clock: Clock,
        advisories: KnownAdvisories = NO_ADVISORIES,
        copy: Copy | None = None,
        edition: Edition | None = None,
    ) -> None:
        """`read_file` gives policy.toml's text, and raises ConfigurationError when it can't be read.
        `edition` is raised by whoever changes what is joined here, in any process of the appliance."""
        self._edition = edition or OwnEdition()
        self._seen = 0
        """The edition that is in force."""
        self._read_file = read_file
        self._copy = copy
        self._store = store
        self._catalogue = catalogue
        self._log = log
        self._ecosystems = ecosystems
        self._known = known
        self._clock = clock
        self._advisories = advisories
        self._current: engine.Policy | None = None
        self._brought: dict[str, str] = {}
        """Lists of names that were put in force since the start."""
        self._good = ""
        """The text of the last file that could be used."""
        self._turn = asyncio.Lock()
        self.problems: tuple[str, ...] = ()
        """What is wrong with the file that isn't in force; empty when it is."""

    @property
    def current(self) -> engine.Policy:
        """The policy in force."""
        assert self._current is not None
        return self._current

    async def load(self) -> None:
        """The first load. A broken file leaves the one that was good before this start in force, and says so.

        Raises ConfigurationError where there was none: without a policy nothing starts.
        """
        self._seen = self._edition.now()
        try:
            text = await asyncio.to_thread(self._read_file)
            self._current = await self._join(text)
            await self._is_good(text)
        except ConfigurationError as error:
            kept = await asyncio.to_thread(self._copy.read) if self._copy else None
            if kept is None:
                raise
            self._current, self._good, self.problems = await self._join(kept), kept, error.problems
            await self._tell("broken", str(error))

    async def _is_good(self, text: str) -> None:
        self._good, self.problems = text, ()
        if self._copy is not None:
            try:
                await asyncio.to_thread(self._copy.keep, text)
            except RegistryError as error:  # the policy counts all the same; only a restart would miss it
                journal.warning("the policy could not be copied", extra={"error": str(error)})

    @property
    def known(self) -> Mapping[str, KnownNames]:
        """The lists of known names in force, by ecosystem."""
        return self._known

    async def warm(self) -> None:
        """Build what finds look-alikes, in a thread, before a client has to wait for it."""
        for names in self._known.values():
            await asyncio.to_thread(names.warm)

    async def know(self, ecosystem: str, text: str) -> None:
        """Put another list of known names in force. Raises ConfigurationError for an empty one."""
        if await self._brings_news(ecosystem, text):
            await self.reload()

    async def know_too(self, ecosystem: str, text: str) -> None:
        """Take up a list that was put in force in another process. Raises ConfigurationError."""
        if await self._brings_news(ecosystem, text):
            await self.follow()

    async def _brings_news(self, ecosystem: str, text: str) -> bool:
        if self._brought.get(ecosystem) == text:
            return False
        names = await asyncio.to_thread(brought_names, ecosystem, text)
        self._brought[ecosystem] = text
        self._known = {**self._known, ecosystem: names}
        return True

    async def draft(self, text: str) -> engine.Policy:
        """The policy that another file would make with what is in the database now; nothing is put in force.
        Raises ConfigurationError."""
        return await self._join(text)

    async def reload(self) -> None:
        """Read everything again and swap at once, here and in all processes. A broken file says so and leaves
        the last good one in force; what operators decided meanwhile counts all the same."""
        async with self._turn:
            await self._renew(self._tell)

    async def look_again(self) -> None:
        """Reload because the file may have changed; what another process has told of already isn't told of
        again."""
        await self.catch_up()
        await self.reload()

    @property
    def is_behind(self) -> bool:
        """Whether something was changed, in whichever process, that isn't in force here yet."""
        return self._edition.now() != self._seen

    async def catch_up(self) -> None:
        """Put in force what another process has changed, and told of."""
        async with self._turn:
            while self.is_behind:
                await self._renew(None)

    async def follow(self) -> None:
        """Read everything again, as somebody else's doing: it is told of there."""
        async with self._turn:
            await self._renew(None)

    async def _renew(self, tell: Callable[[str, str], Awaitable[None]] | None) -> None:
        """Read and swap. With `tell`, a change is told of and the other processes are to follow."""
        seen = self._edition.now()
        try:
            text = await asyncio.to_thread(self._read_file)
            policy = await self._join(text)
            if tell is not None:
                await self._is_good(text)
            else:
                self._good, self.problems = text, ()
        except ConfigurationError as error:
            if error.problems != self.problems:
                self.problems = error.problems
                if tell is not None:
                    seen = self._raised(seen)
                    await tell("broken", str(error))
            policy = await self._joined_as_it_was()
        if policy.revision != self.current.revision:
            self._current = policy
            if tell is not None:
                seen = self._raised(seen)
                await tell("reloaded", f"policy {policy.revision} is in force")
        self._seen = seen

    def _raised(self, seen: int) -> int:
        """Have the others follow; gives the edition that is in force here then."""
        before, after = self._edition.bump()
        return after if before == seen else seen

    async def _joined_as_it_was(self) -> engine.Policy:
        """The last good file with the rows of now; the policy in force where even that can't be."""
        try:
            return await self._join(self._good)
        except ConfigurationError:
            return self.current

    async def _join(self, text: str) -> engine.Policy:
        rows = await self._store.entries()
        private = {name: await self._catalogue.projects(name, "private") for name in self._ecosystems}
        return await asyncio.to_thread(
            parse_policy, text, rows, self._ecosystems, self._known, private, self._advisories_now()
        )

    def _advisories_now(self) -> KnownAdvisories:
        """The advisories as of now. (Their generation is asked of the database, so here, on the loop.)"""
        return _AsOf(self._advisories.generation, self._advisories.about)

    async def _tell(self, what: str, message: str) -> None:
        journal.warning("policy %s", what, extra={"detail": message})
        kind = Kind.ALARM if what == "broken" else Kind.ADMIN
        event = Event(
            kind=kind, at=self._clock.now(), actor="gateway", detail={"policy": what, "message": message}
        )
        try:
            await self._log.record(event)
        except RegistryError:
            journal.error("the policy change could not be logged", extra={"detail": message})


@dataclass(frozen=True, slots=True)
class _AsOf:
    generation: int
    about: Callable[[Project], tuple[Advisory, ...]]
