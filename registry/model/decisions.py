"""What policy says about a subject, with every objection it has.

decision = all objections of all rules; it is a yes when no objection is enforced.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from datetime import datetime

import msgspec

from registry.model.names import Project


class Effect(enum.Enum):
    """What an objection does, the strictest first."""

    DENY = "deny"
    """Refused until policy changes."""
    HIDE = "hide"
    """Refused, and left out of the index, as if the file weren't there."""
    HOLD = "hold"
    """Refused for now; released by time or by an admin."""
    OBSERVE = "observe"
    """Recorded, not enforced."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about: a project, one version of it, or one file of that."""

    project: Project
    version: str | None = None
    filename: str | None = None

    def __str__(self) -> str:
        return f"{self.project}@{self.version}" if self.version else str(self.project)


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's reason against a subject."""

    rule: str
    """The rule's name as policy.toml spells it: `allowlist`, `denylist`, `lookalike` …"""
    effect: Effect
    reason: str
    """One short sentence in the client's words, plain ASCII: ``reqeusts` looks like `requests` …`."""
    resembles: str | None = None
    """The known name that the subject looks like, where that is the reason."""
    until: datetime | None = None
    """When a hold ends by itself; None when only a person ends it."""
    remedy: str = ""
    """What to do: the setting or the command that would let it pass."""
    binding: bool = False
    """Whether it is enforced also where the policy only observes: a recall."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rules have to say about one subject under one policy."""

    subject: Subject
    revision: str
    """Of the policy that decided."""
    mode: str
    """`allowlist`, `guarded` or `observe`."""
    objections: tuple[Objection, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing enforced stands against it."""
        if self.mode == "observe":
            return not any(objection.binding for objection in self.objections)
        return all(objection.effect is Effect.OBSERVE for objection in self.objections)

    @property
    def leading(self) -> Objection | None:
        """The enforced objection that is told first: a binding one, else the strictest, else None."""
        enforced = [o for o in self.objections if o.effect is not Effect.OBSERVE]
        return min(enforced, key=lambda o: (not o.binding, list(Effect).index(o.effect)), default=None)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A no as the client is told it: the decision, and where it is explained."""

    id: str
    """128 bits in hex that nobody can guess, the last part of the /why/ address."""
    decision: Decision
    why: str
    """Absolute URL of the page that explains it."""

    @property
    def message(self) -> str:
        """The one sentence that clients print: what is refused, why, and where to read on."""
        leading = self.decision.leading
        reason = leading.reason if leading else "refused"
        word = "Held" if leading and leading.effect is Effect.HOLD else "Blocked"
        return f"{word}: {reason} (why: {self.why})"


def refuse(decision: Decision, root: str, secret: bytes) -> Refusal:
    """Give a decision its id and its address below the public URL `root` (no trailing slash).

    The id is keyed with the appliance's secret and depends on subject and objections only, so every process
    gives the same no the same address, and a worker process can do it without asking the database.
    """
    said = msgspec.json.encode((decision.subject, decision.objections))
    id_ = hmac.new(secret, said, hashlib.sha256).hexdigest()[:32]
    return Refusal(id=id_, decision=decision, why=f"{root}/why/{id_}")
