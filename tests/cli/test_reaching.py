"""Which appliance a command asks, as whom, and what it says when there is none."""

import http.server
import threading
from pathlib import Path

import pytest

from registry.cli.api import find
from registry.cli.exits import Misused, Unreachable
from tests.cli.running import Running, command
from tests.identity.world import ADMIN_TOKEN

pytestmark = pytest.mark.loopback


def with_token(folder: Path) -> Path:
    keys = folder / "data" / "keys"
    keys.mkdir(parents=True)
    (keys / "admin-token").write_text(f"{ADMIN_TOKEN}\n")
    return folder


def test_on_the_appliances_machine_settings_and_key_file_are_enough(
    appliance: Running, tmp_path: Path
) -> None:
    host, _, port = appliance.url.removeprefix("http://").partition(":")
    here = with_token(tmp_path / "elsewhere")
    assert host == "127.0.0.1"
    assert find({"REGISTRY_PORT": port}, here).get("/whoami")["user"] == "admin-token"
    assert find({"REGISTRY_PORT": port, "REGISTRY_HOST": "0.0.0.0"}, here).get("/whoami")["admin"] is True
    assert command("user", "list", environ={"REGISTRY_PORT": port}).exit_code == 0


def test_the_own_token_is_not_sent_to_another_machine(tmp_path: Path) -> None:
    here = with_token(tmp_path)
    with pytest.raises(Misused, match="set REGISTRY_TOKEN"):
        find({"REGISTRY_URL": "http://packages.example:8080"}, here)
    assert find({"REGISTRY_URL": "http://localhost:8080"}, here).url == "http://localhost:8080"


@pytest.mark.parametrize(
    "url", ["packages.example", "ftp://packages.example", "http://", "http://a:b@c", "http://a:x"]
)
def test_a_url_that_is_none_is_wrong_usage(tmp_path: Path, url: str) -> None:
    with pytest.raises(Misused, match="REGISTRY_URL"):
        find({"REGISTRY_URL": url, "REGISTRY_TOKEN": "t"}, tmp_path)


def test_where_nothing_ever_ran_it_is_said_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no appliance ever ran.*\./scripts/run"):
        find({}, tmp_path)


def test_a_stopped_appliance_is_one_line_and_status_3() -> None:
    result = command("user", "list", environ={"REGISTRY_URL": "http://127.0.0.1:9", "REGISTRY_TOKEN": "t"})
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: No appliance answers at http://127.0.0.1:9 (")
    assert "./scripts/run" in result.stderr
    assert result.stderr.count("\n") == 1


def test_broken_settings_are_all_told_with_status_2() -> None:
    result = command("user", "list", environ={"REGISTRY_PORT": "none", "REGISTRY_READ": "nobody"})
    assert result.exit_code == 2
    assert "REGISTRY_PORT" in result.stderr
    assert "REGISTRY_READ" in result.stderr


def test_a_wrong_token_is_refused_with_status_1(appliance: Running) -> None:
    result = command("user", "list", environ={"REGISTRY_URL": appliance.url, "REGISTRY_TOKEN": "nonsense"})
    assert result.exit_code == 1
    assert "token" in result.stderr


def test_another_program_on_the_port_is_no_appliance() -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        result = command("user", "list", environ={"REGISTRY_URL": url, "REGISTRY_TOKEN": "t"})
        thread.join()
    assert result.exit_code == 3
    assert "is no registry appliance" in result.stderr
