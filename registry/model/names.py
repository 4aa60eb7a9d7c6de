"""Names as types: what has been parsed once is never a bare string again.

`Project(...)` is written in `ecosystems/*/names.py` only (a test greps for it): whoever holds a Project
holds a name that its ecosystem's grammar accepted and normalised, so policy and fetch see the same object.
"""

from __future__ import annotations

import msgspec


class Project(msgspec.Struct, frozen=True, order=True):
    """One project in one ecosystem, by its canonical name.

    `name` is normalised: PEP 503 for Python, `@scope/base` or `base` for npm.
    """

    ecosystem: str
    name: str

    def __str__(self) -> str:
        return f"{self.ecosystem}:{self.name}"
