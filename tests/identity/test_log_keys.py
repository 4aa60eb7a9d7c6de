"""The log's key in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import Malformed
from registry.identity.log_keys import LogKeys


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log-key"
    first = LogKeys(path).current().public.fingerprint
    assert LogKeys(path).current().public.fingerprint == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_process_signs_with_the_new_key_at_once(tmp_path: Path) -> None:
    ours, theirs = LogKeys(tmp_path / "log-key"), LogKeys(tmp_path / "log-key")
    before = theirs.current().public.fingerprint
    ours.replace(ours.current().replaced())
    after = theirs.current().public
    assert after.fingerprint == ours.current().public.fingerprint != before
    assert after.pem.count("BEGIN PUBLIC KEY") == 2


def test_a_damaged_file_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "log-key").write_text("not a key")
    with pytest.raises(Malformed, match="backup"):
        LogKeys(tmp_path / "log-key")
