"""What the log says of a file: that it came in, and that it was given to a client."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from registry.model.artifacts import Artifact, Holding
from registry.model.events import Client, Event, Kind
from registry.model.warehouse import Verified


def ingested(
    holding: Holding, came: Verified, source: str, revision: str, at: datetime, verdict: Mapping[str, str]
) -> Event:
    """A file was fetched from `source`, verified and kept. `revision` is of the policy that let it pass,
    `verdict` what looking at who vouches for it came to."""
    artifact = holding.artifact
    return Event(
        kind=Kind.INGEST,
        at=at,
        actor="gateway",
        project=artifact.project,
        version=artifact.version,
        filename=artifact.filename,
        sha256=came.sha256,
        detail={
            "source": source,
            "url": artifact.url,
            "announced": " ".join(map(str, artifact.digests)),
            "pin": str(holding.pin),
            "size": came.size,
            "origin": holding.origin,
            "policy": revision,
            "computed": " ".join(map(str, came.digests)),
            **verdict,
        },
    )


def delivered(artifact: Artifact, client: Client, revision: str, at: datetime, sha256: str) -> Event:
    """A client is given a file. `revision` is of the policy that let it pass."""
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
