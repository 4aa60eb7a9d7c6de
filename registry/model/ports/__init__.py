"""What the line needs of the outside world. `pipeline/` touches it through these only.

Each port has a suite in `tests/contracts/` that every implementation passes, the tests' fakes included.
"""

from __future__ import annotations

from registry.model.ports.bytes import Adoptions, Blobs, Documents, Place, Shelf, Staging, Warehouse
from registry.model.ports.decrees import Accounts, Advisories, OfflineSwitch, Petitions, PolicyStore
from registry.model.ports.processes import Edition, Leases, ProjectEditions
from registry.model.ports.records import Attestations, Catalogue, Checkpoints, ProvenanceLog, Refusals
from registry.model.ports.sources import Publisher, Services, Source, Spool, Stock
from registry.model.ports.time import Clock, ClockMarks, MachineClock

__all__ = [
    "Accounts",
    "Adoptions",
    "Advisories",
    "Attestations",
    "Blobs",
    "Catalogue",
    "Checkpoints",
    "Clock",
    "ClockMarks",
    "Documents",
    "Edition",
    "Leases",
    "MachineClock",
    "OfflineSwitch",
    "Petitions",
    "Place",
    "PolicyStore",
    "ProjectEditions",
    "ProvenanceLog",
    "Publisher",
    "Refusals",
    "Services",
    "Shelf",
    "Source",
    "Spool",
    "Staging",
    "Stock",
    "Warehouse",
]
