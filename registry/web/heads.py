"""The head of a request: all that a packaging client says before a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from multidict import CIMultiDictProxy


class Head(Protocol):
    """What is read of a request, whether the HTTP library made an object of it or not."""

    @property
    def method(self) -> str:
        """Upper case."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them."""

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""

    @property
    def remote(self) -> str | None:
        """The peer's address."""


@dataclass(slots=True)
class BareHead:
    """A head that nothing was made of yet."""

    method: str
    path: str
    """The request target, as it was sent."""
    headers: CIMultiDictProxy[str]
    secure: bool
    remote: str | None
