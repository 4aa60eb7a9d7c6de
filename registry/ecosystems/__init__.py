"""The one table of packaging worlds. A third one is a folder beside these, a line here and its settings."""

from __future__ import annotations

from collections.abc import Mapping

from registry.ecosystems.npm import NPM
from registry.ecosystems.pypi import PYPI
from registry.model.ecosystem import Ecosystem

ECOSYSTEMS: Mapping[str, Ecosystem] = {ecosystem.name: ecosystem for ecosystem in (PYPI, NPM)}
"""By the first part of the path and of every key."""

__all__ = ["ECOSYSTEMS"]
