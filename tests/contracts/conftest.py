"""Every port in all its implementations: the real one over SQLite and files, and the tests' fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.model.ports import (
    Accounts,
    Adoptions,
    Advisories,
    Blobs,
    Catalogue,
    Checkpoints,
    ClockMarks,
    Documents,
    OfflineSwitch,
    Petitions,
    PolicyStore,
    ProvenanceLog,
    Refusals,
    Warehouse,
)
from registry.storage.accounts import Accounts as StoredAccounts
from registry.storage.adoptions import Adoptions as StoredAdoptions
from registry.storage.advisories import Advisories as StoredAdvisories
from registry.storage.checkpoints import Checkpoints as StoredCheckpoints
from registry.storage.clock_marks import ClockMarks as StoredMarks
from registry.storage.neighbours import Neighbours
from registry.storage.offline_switch import OfflineSwitch as StoredSwitch
from registry.storage.petitions import Petitions as StoredPetitions
from registry.storage.policy_store import PolicyStore as StoredPolicy
from registry.storage.refusals import Refusals as StoredRefusals
from registry.storage.warehouse import Warehouse as StoredWarehouse
from tests import fakes
from tests.specimens import opened


@dataclass(frozen=True)
class Ports:
    """One implementation of each port; those that log share one log."""

    log: ProvenanceLog
    blobs: Blobs
    documents: Documents
    catalogue: Catalogue
    refusals: Refusals
    policy_store: PolicyStore
    accounts: Accounts
    checkpoints: Checkpoints
    advisories: Advisories
    petitions: Petitions
    warehouse: Warehouse
    adoptions: Adoptions
    offline: OfflineSwitch
    marks: ClockMarks


@pytest.fixture(params=["real", "fake"])
async def ports(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ports]:
    if request.param == "fake":
        log = fakes.LogInMemory()
        blobs, catalogue = fakes.BlobsInDirectory(tmp_path / "blobs"), fakes.CatalogueInMemory(log)
        adoptions = fakes.AdoptionsInMemory(blobs)
        yield Ports(
            log,
            blobs,
            fakes.DocumentsInMemory(),
            catalogue,
            fakes.RefusalsInMemory(log),
            fakes.PolicyStoreInMemory(log),
            fakes.AccountsInMemory(log),
            fakes.CheckpointsInMemory(log),
            fakes.AdvisoriesInMemory(log),
            fakes.PetitionsInMemory(log),
            fakes.WarehouseInDirectory(catalogue, blobs, adoptions),
            adoptions,
            fakes.OfflineSwitchInMemory(log),
            fakes.ClockMarksInMemory(log),
        )
        return
    async with opened(tmp_path) as storage:
        adopting = StoredAdoptions(storage.volume, storage.database, storage.blobs)
        yield Ports(
            storage.log,
            storage.blobs,
            storage.documents,
            storage.catalogue,
            StoredRefusals(storage.database),
            StoredPolicy(storage.database),
            StoredAccounts(storage.database),
            StoredCheckpoints(storage.database),
            StoredAdvisories(storage.database),
            StoredPetitions(storage.database),
            StoredWarehouse(
                storage.volume,
                storage.database,
                storage.blobs,
                adopting,
                Neighbours(storage.volume, storage.database),
            ),
            adopting,
            StoredSwitch(storage.database),
            StoredMarks(storage.database),
        )
