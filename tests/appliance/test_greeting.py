from __future__ import annotations

from pathlib import Path

import pytest

from registry.appliance.greeting import base_url, greeting


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8080"),
        ("::1", None, "http://[::1]:8080"),
        ("0.0.0.0", "https://packages.lan/registry", "https://packages.lan/registry"),
    ],
)
def test_the_url_is_the_public_one_else_where_it_listens(
    host: str, public_url: str | None, expected: str
) -> None:
    assert base_url(host, 8080, public_url) == expected


def test_a_listener_on_every_address_is_called_by_the_machines_name() -> None:
    assert "0.0.0.0" not in base_url("0.0.0.0", 8080, None)


@pytest.mark.parametrize(
    ("base", "is_told"), [("http://127.0.0.1:8080", False), ("http://box:8080", True), ("https://box", False)]
)
def test_pip_is_told_to_trust_plain_http_elsewhere(base: str, is_told: bool, tmp_path: Path) -> None:
    assert ("--trusted-host" in greeting(base, tmp_path, tmp_path / "none", None)) is is_told


def test_there_is_a_line_for_each_client_and_the_place_of_everything(tmp_path: Path) -> None:
    password = tmp_path / "admin-password"
    password.write_text("x")
    text = greeting("http://127.0.0.1:8080", tmp_path, password, None)
    for part in (
        "pip install",
        "uv pip install",
        "twine upload",
        "npm install",
        "npm publish",
        str(password),
    ):
        assert part in text
    assert "made just now" not in text
    assert "made just now: s3cret" in greeting("http://127.0.0.1:8080", tmp_path, password, "s3cret")
