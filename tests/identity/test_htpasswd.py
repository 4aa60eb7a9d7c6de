from pathlib import Path
from types import SimpleNamespace

import pytest

from registry.identity.htpasswd import Htpasswd


def test_a_user_that_is_not_there_costs_as_much_as_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Htpasswd(tmp_path / "htpasswd", cost=4)
    file.put("ada", file.hash("correct horse"))
    costs: list[str] = []
    verify = file._context.verify

    def counted(password: str, hashed: str) -> bool:
        costs.append(hashed.rpartition("$")[0])
        return bool(verify(password, hashed))

    ada, bob = file.find("ada"), file.find("bob")
    monkeypatch.setattr(file, "_context", SimpleNamespace(verify=counted))
    assert file.matches("correct horse", ada)
    assert not file.matches("correct horse", bob)
    assert costs == ["$2y$04", "$2y$04"]


def test_a_file_that_is_not_there_has_nobody_in_it(tmp_path: Path) -> None:
    file = Htpasswd(tmp_path / "keys" / "htpasswd", cost=4)
    assert file.find("ada") is None
    file.drop("ada")
    assert file.find("ada") is None
