"""What the log says of a file that is given to a client."""

from __future__ import annotations

from datetime import datetime

from registry.model.artifacts import Artifact
from registry.model.events import Client, Event, Kind


def delivered(artifact: Artifact, client: Client, revision: str, at: datetime, sha256: str) -> Event:
    """The row of one delivery; `revision` is of the policy that let it pass."""
    return Event(
        kind=Kind.DELIVERY,
        at=at,
        actor=client.actor,
        project=artifact.project,
        version=artifact.version,
        filename=artifact.filename,
        sha256=sha256,
        address=client.address,
        agent=client.agent,
        detail={"policy": revision, "token": client.token} if client.token else {"policy": revision},
    )
