"""Editions (`ports/processes.py`) that one process alone sees; those of several: `storage/editions.py`."""

from __future__ import annotations

from collections import Counter

from registry.model.names import Project


class OwnEdition:
    """An edition."""

    def __init__(self) -> None:
        self._number = 0

    def now(self) -> int:
        """The number."""
        return self._number

    def bump(self) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""
        self._number += 1
        return self._number - 1, self._number


class OwnProjectEditions:
    """The editions of projects."""

    def __init__(self) -> None:
        self._numbers: Counter[Project] = Counter()

    def now(self, project: Project) -> int:
        """The number."""
        return self._numbers[project]

    def bump(self, project: Project) -> tuple[int, int]:
        """Raise it; gives the numbers before and after."""
        self._numbers[project] += 1
        return self._numbers[project] - 1, self._numbers[project]
