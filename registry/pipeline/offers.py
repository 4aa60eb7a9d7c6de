"""Core metadata of files that came in since their index was rendered, put into its body.

Where an upstream announces no metadata, every wheel that comes in tells the index something new. To render a
long index again for that would take as long as the first time; to put one entry's digest into the bytes that
are on the shelf takes a hundredth.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from registry.ecosystems import ECOSYSTEMS
from registry.model.indexes import Rendition, Representation
from registry.model.names import Project
from registry.pipeline.packs import pack, unpack

REMEMBERED = 10_000
"""Projects of which offers are remembered; an index of another one is rendered anew."""

Offer = tuple[str, str]
"""A file's name, and the SHA-256 of its core metadata in hex."""


class Offers:
    """What is to be offered, by project, with the editions of our own rows that it came between."""

    def __init__(self) -> None:
        self._steps: OrderedDict[Project, dict[int, tuple[int, Offer]]] = OrderedDict()

    def add(self, project: Project, before: int, after: int, offer: Offer) -> None:
        """The edition was raised from `before` to `after` for this offer."""
        self._steps.setdefault(project, {})[before] = (after, offer)
        self._steps.move_to_end(project)
        while len(self._steps) > REMEMBERED:
            self._steps.popitem(last=False)

    def since(self, project: Project, edition: int, now: int) -> list[Offer] | None:
        """All that came between two editions; None where something else happened as well."""
        steps, found = self._steps.get(project, {}), []
        while edition != now:
            if edition not in steps:
                return None
            edition, offer = steps[edition]
            found.append(offer)
        return found

    def forget(self, project: Project) -> None:
        """Its index is rendered anew."""
        self._steps.pop(project, None)


def with_offers(
    project: Project,
    rendition: Rendition,
    shown: Representation,
    revision: str,
    offers: Iterable[Offer],
    scratch: str,
) -> Rendition:
    """A rendered index that offers the metadata of more of its files. Takes some milliseconds a megabyte.
    Raises OSError where its body's file is gone."""
    offer_metadata = ECOSYSTEMS[project.ecosystem].offer_metadata
    assert offer_metadata is not None
    body = unpack(rendition)
    for filename, sha256 in offers:
        body = offer_metadata(body, shown, filename, sha256)
    return pack(body, rendition.content_type, revision, rendition.headers, scratch)
