"""The one table of packaging worlds. A third one is a folder beside these, a line here and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from registry.ecosystems.pypi import PYPI
from registry.model.ecosystem import Ecosystem


def _found(module: str, name: str) -> tuple[Ecosystem, ...]:
    try:
        return (getattr(import_module(module), name),)
    except (ImportError, AttributeError):
        return ()


ECOSYSTEMS: Mapping[str, Ecosystem] = {e.name: e for e in (PYPI, *_found("registry.ecosystems.npm", "NPM"))}

__all__ = ["ECOSYSTEMS"]
