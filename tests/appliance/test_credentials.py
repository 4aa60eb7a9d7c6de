from pathlib import Path

import pytest

from registry.appliance import credentials


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_part_gets_its_own_side_and_both_fit(tmp_path: Path) -> None:
    credentials.main(tmp_path)
    assert set(below(tmp_path)) == {
        "gateway/pypiserver.credentials", "gateway/verdaccio.credentials", "pypiserver/htpasswd", "verdaccio/htpasswd",
    }  # fmt: skip
    for name in ("pypiserver", "verdaccio"):
        ours, theirs = tmp_path / "gateway" / f"{name}.credentials", tmp_path / name / "htpasswd"
        assert credentials.fit(ours, theirs)
        password = ours.read_text().strip().partition(":")[2]
        assert password not in theirs.read_text()
        assert {path.stat().st_mode & 0o777 for path in (ours, theirs)} == {0o600}


def test_what_fits_stays_however_often_it_is_asked_for(tmp_path: Path) -> None:
    credentials.main(tmp_path)
    before = below(tmp_path)
    credentials.main(tmp_path)
    assert below(tmp_path) == before


@pytest.mark.parametrize("spoilt", ["gateway/verdaccio.credentials", "verdaccio/htpasswd"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"gateway:other", b"someone:x"])
def test_one_side_that_is_lost_or_damaged_renews_both_and_no_other(
    tmp_path: Path, spoilt: str, content: bytes | None
) -> None:
    credentials.main(tmp_path)
    before = below(tmp_path)
    if content is None:
        (tmp_path / spoilt).unlink()
    else:
        (tmp_path / spoilt).write_bytes(content)
    credentials.main(tmp_path)
    assert credentials.fit(
        tmp_path / "gateway" / "verdaccio.credentials", tmp_path / "verdaccio" / "htpasswd"
    )
    after = below(tmp_path)
    assert after["verdaccio/htpasswd"] != before["verdaccio/htpasswd"]
    assert after["pypiserver/htpasswd"] == before["pypiserver/htpasswd"]
