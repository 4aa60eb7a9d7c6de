"""What the processes that serve one appliance know of each other."""

from __future__ import annotations

from typing import Protocol

from registry.model.names import Project


class Edition(Protocol):
    """A number that says whether what a process remembers is still what counts.

    Whoever changes something raises its edition once the change is durable; whoever keeps something in memory
    notes the edition before reading it, and reads again when the number is another one.
    """

    def now(self) -> int:
        """The number; quick enough to be asked for at every request."""

    def bump(self) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""


class ProjectEditions(Protocol):
    """The edition of one thing for each project. Two projects may share a number."""

    def now(self, project: Project) -> int:
        """The number; quick enough to be asked for at every request."""

    def bump(self, project: Project) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""


class Leases(Protocol):
    """What only one process of an appliance does at a time, by name. A lease ends with its process."""

    def take(self, name: str, /) -> bool:
        """Take a lease, or see at once that another process has it. One that is ours already stays ours."""

    def drop(self, name: str, /) -> None:
        """Give it back."""

    def say(self, name: str, words: bytes, /) -> None:
        """Leave words for those who wait for a lease. Raises OSError."""

    def heard(self, name: str, /) -> bytes | None:
        """The words that were left last. Raises OSError."""

    def unsay(self, name: str, /) -> None:
        """Take the words back. Raises OSError."""
