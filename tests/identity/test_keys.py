import stat
from pathlib import Path

from registry.identity.keys import ensure_admin_token, ensure_secret, replace_secret


def test_the_admin_token_is_made_once_and_private(tmp_path: Path) -> None:
    token = ensure_admin_token(tmp_path)
    path = tmp_path / "keys" / "admin-token"
    assert len(token) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_admin_token(tmp_path) == token == path.read_text().strip()
    assert [p.name for p in path.parent.iterdir()] == ["admin-token"], "nothing staged is left"


def test_of_two_processes_that_make_a_secret_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def slow() -> str:
        ensure_secret(path, lambda: "first")
        return "second"

    assert ensure_secret(path, slow) == "first"
    assert path.read_text().strip() == "first"


def test_a_replaced_secret_is_whole_and_private_even_where_it_was_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    replace_secret(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
