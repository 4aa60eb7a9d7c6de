"""`registry advisories` over files as the databases offer them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.cli.running import Running

pytestmark = pytest.mark.loopback


def document(id_: str, name: str, modified: str = "2025-09-08T13:00:00Z", **more: object) -> str:
    affected = [{"package": {"ecosystem": "npm", "name": name}, "versions": ["5.6.1"]}]
    return json.dumps({"id": id_, "modified": modified, "affected": affected, **more})


def test_folders_files_and_zips_are_read_and_count_at_once(appliance: Running, tmp_path: Path) -> None:
    assert appliance.command("advisories", "status").exit_code == 1
    folder = tmp_path / "osv" / "npm"
    folder.mkdir(parents=True)
    (folder / "MAL-1.json").write_text(document("MAL-1", "chalk"))
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("MAL-2.json", document("MAL-2", "debug"))
        made.writestr("README.md", "no document")
    result = appliance.command("advisories", "import", str(folder.parent), str(archive))
    assert (result.exit_code, result.stdout) == (
        0,
        "Read 2 advisories, 2 of them news; 2 count from now on.\n",
    )
    for name in ("chalk", "debug"):
        assert appliance.command("policy", "explain", "npm", f"{name}@5.6.1").exit_code == 1
        assert appliance.command("policy", "explain", "npm", f"{name}@5.6.0").exit_code == 0
    again = appliance.answer("advisories", "import", str(archive))
    assert (again["read"], again["news"]) == (1, 0)
    assert appliance.command("advisories", "status").exit_code == 0


def test_a_withdrawn_document_takes_itself_back(appliance: Running, tmp_path: Path) -> None:
    path = tmp_path / "MAL-1.json"
    path.write_text(document("MAL-1", "chalk"))
    appliance.command("advisories", "import", str(path))
    path.write_text(document("MAL-1", "chalk", "2025-10-01T00:00:00Z", withdrawn="2025-10-01T00:00:00Z"))
    assert appliance.command("advisories", "import", str(path)).exit_code == 0
    assert appliance.command("policy", "explain", "npm", "chalk@5.6.1").exit_code == 0


def test_what_cant_be_read_is_named_and_the_rest_counts(appliance: Running, tmp_path: Path) -> None:
    (tmp_path / "MAL-1.json").write_text(document("MAL-1", "chalk"))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    broken, locked = tmp_path / "broken.zip", tmp_path / "locked.zip"
    broken.write_text("no zip")
    with zipfile.ZipFile(locked, "w") as made:
        made.writestr("MAL-2.json", document("MAL-2", "debug"))
    flagged = locked.read_bytes().replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )
    locked.write_bytes(flagged)  # so that it wants a password
    result = appliance.command("advisories", "import", str(tmp_path), str(broken), str(locked))
    assert result.exit_code == 1
    for name in ("broken.json", "gone.json", "broken.zip", "locked.zip"):
        assert name in result.stderr
    assert appliance.command("policy", "explain", "npm", "chalk@5.6.1").exit_code == 1


def test_imports_of_any_size_go_in_batches(
    appliance: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.cli.advisories.BATCH_RECORDS", 3)
    for number in range(10):
        (tmp_path / f"{number}.json").write_text(document(f"MAL-{number}", f"name-{number}"))
    assert appliance.answer("advisories", "import", str(tmp_path))["standing"]["advisories"] == 10
