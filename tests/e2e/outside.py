"""The world outside: the lying upstream in a thread, which can be cut off and reached again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from tests.upstream import Distribution, LyingUpstream, Seen, Tarball


class Outside:
    """Public packages, and a record of who asked for what."""

    def __init__(self) -> None:
        self.upstream = LyingUpstream()
        self._serving = ExitStack()

    def __enter__(self) -> Self:
        self._serving.enter_context(self.upstream.in_a_thread())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.close()

    @property
    def settings(self) -> dict[str, str]:
        """How an appliance is told of it."""
        return {
            "REGISTRY_PYPI_UPSTREAM": self.upstream.url_pypi,
            "REGISTRY_NPM_UPSTREAM": self.upstream.url_npm,
        }

    def publish(self, *packages: Distribution | Tarball) -> None:
        """Make packages public."""
        self.upstream.add(*packages)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """While nobody can reach it."""
        self._serving.close()
        try:
            yield
        finally:
            self.__enter__()

    @contextmanager
    def listening(self) -> Iterator[list[Seen]]:
        """The requests that arrive meanwhile; complete at the end."""
        heard: list[Seen] = []
        before = len(self.upstream.requests)
        yield heard
        heard += self.upstream.requests[before:]

    def heard_of(self, word: str) -> list[Seen]:
        """The requests that have the word anywhere: in path, headers or body."""
        wanted = word.lower()
        return [seen for seen in self.upstream.requests if wanted in _all_of(seen)]


def _all_of(seen: Seen) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in seen.headers.items())
    return f"{seen.path}\n{headers}{seen.body.decode('latin-1')}".lower()
