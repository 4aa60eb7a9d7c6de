"""The API below /api/v1: a module a noun, each with what its operations take, answer and do.

An operation needs an admin unless its line says otherwise. Only POST, PUT and DELETE change anything.
"""

from __future__ import annotations

from typing import Any

from registry.web.api.accounts import ACCOUNTS_ENDPOINTS
from registry.web.api.advisories import ADVISORIES_ENDPOINTS
from registry.web.api.appliance import APPLIANCE_ENDPOINTS
from registry.web.api.audit import AUDIT_ENDPOINTS
from registry.web.api.cache import CACHE_ENDPOINTS
from registry.web.api.foresight import FORESIGHT_ENDPOINTS
from registry.web.api.names import NAMES_ENDPOINTS
from registry.web.api.openapi import Endpoint
from registry.web.api.petitions import PETITIONS_ENDPOINTS
from registry.web.api.policy import POLICY_ENDPOINTS
from registry.web.api.private import PRIVATE_ENDPOINTS
from registry.web.api.recalls import RECALLS_ENDPOINTS

ENDPOINTS: tuple[Endpoint[Any, Any], ...] = (
    *APPLIANCE_ENDPOINTS,
    *POLICY_ENDPOINTS,
    *FORESIGHT_ENDPOINTS,
    *NAMES_ENDPOINTS,
    *PETITIONS_ENDPOINTS,
    *ADVISORIES_ENDPOINTS,
    *RECALLS_ENDPOINTS,
    *AUDIT_ENDPOINTS,
    *ACCOUNTS_ENDPOINTS,
    *CACHE_ENDPOINTS,
    *PRIVATE_ENDPOINTS,
)
