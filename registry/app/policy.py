"""The policy in force: the operator's file, joined with what was decided in the database."""

from __future__ import annotations

from pathlib import Path

from registry.app.storage import Storage
from registry.app.surroundings import Surroundings
from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError
from registry.pipeline.inforce import JoinedPolicy
from registry.policy.names import KnownNames, brought_names
from registry.settings import Settings
from registry.storage.name_lists import NameLists
from registry.storage.policy_copy import PolicyCopy


async def join_policy(settings: Settings, kept: Storage, around: Surroundings) -> JoinedPolicy:
    """The policy as it holds now. Raises ConfigurationError when its file can't be used."""
    policy = JoinedPolicy(
        read_file=lambda: _read_policy(settings.policy),
        store=kept.policy_store,
        catalogue=kept.catalogue,
        log=kept.log,
        ecosystems=ECOSYSTEMS,
        known={name: _known_names(name, kept.names, around) for name in ECOSYSTEMS},
        clock=kept.clock,
        advisories=kept.advisories,
        copy=PolicyCopy(settings.data / "policy.last-good.toml"),
        edition=kept.editions.policy,
    )
    await policy.load()
    return policy


def _known_names(ecosystem: str, lists: NameLists, around: Surroundings) -> KnownNames:
    """What an operator brought, else what shipped."""
    text = lists.read(ecosystem)
    return around.known(ecosystem) if text is None else brought_names(ecosystem, text)


def _read_policy(path: Path) -> str:
    """The policy file's text. Raises ConfigurationError when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"The policy file {path} can't be read ({error}); restore it."]) from error
