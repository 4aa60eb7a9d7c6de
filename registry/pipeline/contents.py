"""Looking into a verified file before anyone has all of it: is it what its name says, and what does it say?

What can't be understood is a mismatch too: a trick that our reader stumbles over is still a trick.
"""

from __future__ import annotations

import logging
from pathlib import Path

from registry.ecosystems import ECOSYSTEMS
from registry.errors import RegistryError
from registry.model.artifacts import Artifact
from registry.model.publications import Findings

journal = logging.getLogger("registry.contents")


def look_into(artifact: Artifact, path: Path) -> Findings:
    """What a verified file holds; blocks for as long as reading it takes.

    That it can't be read just now (OSError) isn't the file's fault, and says nothing.
    """
    ecosystem = ECOSYSTEMS[artifact.project.ecosystem]
    if ecosystem.offer_metadata is None:
        return Findings()
    try:
        with path.open("rb") as file:
            contents = ecosystem.inspect(artifact, file)
    except RegistryError as error:
        return Findings(mismatch=str(error))
    except (OSError, MemoryError) as error:
        journal.warning("a file wasn't looked into", extra={"file": artifact.filename, "error": repr(error)})
        return Findings()
    except Exception as error:  # noqa: BLE001  whatever a forged file makes our reader do is held against it
        journal.exception("a file could not be looked into", extra={"file": artifact.filename})
        return Findings(mismatch=f"'{artifact.filename}' can't be looked into ({type(error).__name__}).")
    return Findings(metadata=contents.metadata if contents else None)
