"""What the API's handlers work with: everything that an admin can ask for or change."""

from __future__ import annotations

from dataclasses import dataclass

from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.pipeline.advisory_operations import AdvisoryOperations
from registry.pipeline.audit_operations import AuditOperations
from registry.pipeline.cache_operations import CacheOperations
from registry.pipeline.file_operations import FileOperations
from registry.pipeline.foresight import Foresight
from registry.pipeline.name_operations import NameOperations
from registry.pipeline.offline_operations import OfflineOperations
from registry.pipeline.operations import Doctor, Operations
from registry.pipeline.petition_operations import PetitionOperations
from registry.pipeline.policy_operations import PolicyOperations
from registry.pipeline.private_operations import PrivateOperations
from registry.pipeline.recall_operations import RecallOperations
from registry.pipeline.rescan import Rescan
from registry.pipeline.timekeeping import Timekeeper
from registry.pipeline.warming import Warming


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The admin's desk."""

    policy: PolicyOperations
    petitions: PetitionOperations
    names: NameOperations
    foresight: Foresight
    advisories: AdvisoryOperations
    operations: Operations
    audit: AuditOperations
    clock: Timekeeper
    recalls: RecallOperations
    offline: OfflineOperations
    cache: CacheOperations
    warming: Warming
    private: PrivateOperations
    rescan: Rescan
    files: FileOperations
    users: Users
    tokens: Tokens
    doctor: Doctor
