"""Everything that can go wrong on the line, each with the HTTP status it becomes.

RegistryError
├── Malformed              400  the request can't be understood
├── Unauthenticated        401  who are you?
├── Refused                403  policy says no; carries the refusal that explains it
├── Forbidden              403  you are known, and may not
├── NotFound               404  nothing here has that name
├── NotAllowed             405  that verb isn't offered here
├── NotAcceptable          406  no representation that the client accepts
├── Conflict               409  it is there already, with other bytes
├── TooLarge               413
├── Misdirected            421  a host name that isn't ours
├── TooMany                429  too often; carries when to try again
├── SourceFailed           502  upstream or a back end answered wrongly
│   └── IntegrityFailed    502  bytes that are not what was announced
├── SourceTimedOut         504
├── Unavailable            503  we can't at the moment; carries when to try again
└── ConfigurationError      -   at start only: every mistake at once

Refused is 403, broken is 502 or 504, overloaded is 503, unknown is 404, never one for another: uv asks
the next index on 404, and every client retries a 5xx.

A message is one sentence: what, why, what to do. It reaches the client, so it names no path of this
machine and no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.model.decisions import Refusal


class RegistryError(Exception):
    """The root: its text is meant for the person at the client."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"


class Malformed(RegistryError):
    """The request, a name, a path or a document can't be understood."""

    status = 400
    title = "Malformed request"


class Unauthenticated(RegistryError):
    """No credentials, or wrong ones, where some are needed."""

    status = 401
    title = "Authentication required"


class Refused(RegistryError):
    """Policy says no."""

    status = 403
    title = "Refused by policy"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Forbidden(RegistryError):
    """The client is known and may not do this."""

    status = 403
    title = "Forbidden"


class NotFound(RegistryError):
    """Nothing here has that name."""

    status = 404
    title = "Not found"


class NotAllowed(RegistryError):
    """The path exists, the verb isn't offered on it; `methods` are."""

    status = 405
    title = "Method not allowed"

    def __init__(self, message: str, methods: Sequence[str] = ("GET", "HEAD")) -> None:
        super().__init__(message)
        self.methods = methods


class NotAcceptable(RegistryError):
    """None of the representations is one that the client accepts."""

    status = 406
    title = "Not acceptable"


class Conflict(RegistryError):
    """It exists already, and what exists never changes."""

    status = 409
    title = "Conflict"


class TooLarge(RegistryError):
    """More bytes than the setting named in the message allows."""

    status = 413
    title = "Too large"

    @classmethod
    def of_upload(cls, limit: int) -> TooLarge:
        """A file to publish has more than `limit` bytes."""
        return cls(
            f"The file is larger than {limit} bytes, the `upload_limit` here; an admin may raise that."
        )


class Misdirected(RegistryError):
    """The Host header names a host that isn't ours."""

    status = 421
    title = "Misdirected request"


class TooMany(RegistryError):
    """Somebody asks for more than is good for the others."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceFailed(RegistryError):
    """An upstream or a private back end answered wrongly or not at all."""

    status = 502
    title = "Source failed"


class IntegrityFailed(SourceFailed):
    """Bytes arrived that are not the bytes that were announced or pinned."""

    title = "Integrity check failed"


class SourceTimedOut(RegistryError):
    """An upstream or a private back end took too long."""

    status = 504
    title = "Source timed out"


class Unavailable(RegistryError):
    """We can't at the moment: disk full, database busy, shutting down."""

    status = 503
    title = "Unavailable"

    def __init__(self, message: str, retry_after: int = 10) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConfigurationError(RegistryError):
    """Settings or policy that can't be used; lists every mistake, not the first."""

    title = "Configuration error"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
