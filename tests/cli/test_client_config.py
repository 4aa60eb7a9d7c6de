"""`registry client-config` knows the appliance's URL, or says that it doesn't."""

import json

import pytest

from registry.web.client_lines import CLIENTS, client_lines
from tests.cli.running import command


@pytest.mark.parametrize("client", CLIENTS)
def test_the_lines_are_printed_below_the_file_that_they_belong_into(client: str) -> None:
    result = command("client-config", client, "--url", "https://packages.lan/", environ={})
    lines = client_lines(client, "https://packages.lan")
    assert result.exit_code == 0
    assert result.stdout == f"# {lines.where}\n{lines.text}"
    document = json.loads(
        command("client-config", client, "--url", "https://packages.lan", "--json", environ={}).stdout
    )
    assert document == {
        "client": client,
        "url": "https://packages.lan",
        "where": lines.where,
        "text": lines.text,
    }


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"REGISTRY_HOST": "10.0.0.5", "REGISTRY_PORT": "81"}, "http://10.0.0.5:81"),
        ({"REGISTRY_HOST": "0.0.0.0", "REGISTRY_PUBLIC_URL": "https://p.lan/x/"}, "https://p.lan/x"),
        ({"REGISTRY_PUBLIC_URL": "https://p.lan", "REGISTRY_URL": "http://other:8080"}, "http://other:8080"),
    ],
)
def test_the_url_is_the_nearest_one_that_is_known(environ: dict[str, str | None], url: str) -> None:
    result = command("client-config", "npm", "--json", environ=environ)
    assert json.loads(result.stdout)["url"] == url


@pytest.mark.parametrize("arguments", [["--url", "packages.lan"], ["--url", "http://a/?x"], []])
def test_an_unknown_or_impossible_url_is_wrong_usage(arguments: list[str]) -> None:
    result = command("client-config", "pip", *arguments, environ={"REGISTRY_HOST": "0.0.0.0"})
    assert result.exit_code == 2
    assert "--url" in result.stderr or "leave off" in result.stderr
