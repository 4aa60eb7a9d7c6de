import pytest

from registry.cli import show
from registry.cli.projects import split_project, split_version


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("requests", (None, "requests", None)),
        ("requests@2.0", (None, "requests", "2.0")),
        ("@acme/ui", (None, "@acme/ui", None)),
        ("@acme/ui@1.0.0", (None, "@acme/ui", "1.0.0")),
        ("npm:@acme/ui@1.0.0", ("npm", "@acme/ui", "1.0.0")),
        ("pypi:requests", ("pypi", "requests", None)),
    ],
)
def test_projects_are_read_as_people_type_them(text: str, parts: tuple[str | None, str, str | None]) -> None:
    assert split_project(text) == parts
    if parts[0] is None:
        assert split_version(text) == parts[1:]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes_are_readable(count: int, text: str) -> None:
    assert show.size(count) == text


def test_times_are_local_and_have_a_zone() -> None:
    assert show.local("2026-11-21T22:37:00.123456Z")[10:].startswith("T")
    assert show.local("2026-11-21T22:37:00.123456Z")[-6] in "+-"
    assert show.local(None) == ""
