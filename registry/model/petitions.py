"""A petition: somebody who was refused something asks an admin to let it pass."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

PetitionState = Literal["open", "granted", "declined"]


class Petition(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and what became of it. One refusal has at most one that is open."""

    id: int = 0
    """0 until stored."""
    refusal: str
    """The id behind its /why/ address."""
    subject: str
    """What was refused, for people: `pypi:foo@1.0`."""
    message: str
    """Why it is needed, in the words of whoever asks."""
    name: str
    """Who says to ask: a claim, unless they were logged in."""
    actor: str
    """The user, or `anonymous`."""
    address: str
    at: datetime
    state: PetitionState = "open"
    answer: str = ""
    """What the admin said."""
    answered_by: str = ""
    answered: datetime | None = None
