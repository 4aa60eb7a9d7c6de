from __future__ import annotations

import json
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from registry.settings import Credentials, known_settings, load_settings
from registry.settings.reader import _flat

SHIPPED = Path(__file__).parents[2] / "config" / "registry.toml"

EXAMPLES = frozenset(
    {
        "public_url", "ca_file", "tls_certificate", "tls_key",
        "pypi.upstream_user", "pypi.upstream_password_file", "npm.upstream_user", "npm.upstream_password_file",
        "pypiserver.url", "pypiserver.credentials", "verdaccio.url", "verdaccio.credentials",
    }
)  # fmt: skip
"""Settings whose default is nothing at all: the file shows an example."""


def problems(environ: dict[str, str], directory: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ, directory)
    return caught.value.problems


def config(directory: Path, text: str) -> Path:
    path = directory / "config" / "registry.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_without_file_and_environment_every_setting_has_its_default(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert (settings.host, settings.port, settings.read) == ("127.0.0.1", 8080, "anyone")
    assert settings.data == tmp_path / "data"
    assert settings.volume == tmp_path / "data" / "volume"
    assert settings.policy == tmp_path / "config" / "policy.toml"
    assert settings.freshness == 600
    assert settings.memory_cache == 64 * 1024 * 1024
    assert settings.upstreams["pypi"].limits.document_bytes == 256 * 1024 * 1024
    assert {upstream.url for upstream in settings.upstreams.values()} == {None}
    assert {back_end.url for back_end in settings.back_ends.values()} == {None}


def test_environment_beats_file_beats_default(tmp_path: Path) -> None:
    config(tmp_path, 'port = 9000\nread = "users"\n[pypi]\nupstream = "http://mirror.lan/simple"\n')
    settings = load_settings({"REGISTRY_PORT": "9001"}, tmp_path)
    assert (settings.port, settings.read, settings.log_level) == (9001, "users", "info")
    assert settings.upstreams["pypi"].url == "http://mirror.lan/simple/"


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    config(tmp_path, "port = 9000\n")
    assert load_settings({"REGISTRY_PORT": ""}, tmp_path).port == 9000


def test_the_volume_follows_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings({"REGISTRY_DATA": "elsewhere"}, tmp_path)
    assert settings.volume == tmp_path / "elsewhere" / "volume"


def test_lists_are_arrays_in_the_file_and_have_commas_in_the_environment(tmp_path: Path) -> None:
    config(tmp_path, 'hosts = ["Packages.Lan", "packages:8080"]\n')
    settings = load_settings({"REGISTRY_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}, tmp_path)
    assert settings.hosts == {"packages.lan", "packages:8080"}
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))


def test_a_file_host_is_a_name_or_an_origin(tmp_path: Path) -> None:
    said = "Files.lan, files.lan:8443, http://Files.lan:8080/, https://10.0.0.7"
    settings = load_settings({"REGISTRY_PYPI_FILE_HOSTS": said}, tmp_path)
    assert settings.upstreams["pypi"].file_hosts == (
        "files.lan", "files.lan:8443", "http://files.lan:8080", "https://10.0.0.7",
    )  # fmt: skip
    for wrong in ("http://files.lan/path", "http://me:secret@files.lan", "ftp://files.lan", "files.lan/x"):
        (told,) = problems({"REGISTRY_PYPI_FILE_HOSTS": wrong}, tmp_path)
        assert "secret" not in told


def test_all_mistakes_are_reported_at_once_each_with_its_key(tmp_path: Path) -> None:
    config(
        tmp_path,
        'read = "nobody"\nupload_limit = "huge"\n[npm]\nfile_hosts = "https://x/y"\nstall_timeout = 0\n',
    )
    found = problems(
        {
            "REGISTRY_PORT": "99999",
            "REGISTRY_WORKERS": "0",
            "REGISTRY_CA_FILE": "nowhere.pem",
            "REGISTRY_PUBLIC_URL": "https://u:p@registry.lan/?x",
            "REGISTRY_TRUSTED_PROXIES": "proxy",
            "REGISTRY_PYPI_UPSTREAM": "ftp://host/",
        },
        tmp_path,
    )
    places = (
        "registry.toml: read:", "registry.toml: upload_limit:", "registry.toml: npm.file_hosts:",
        "registry.toml: npm.stall_timeout:", "REGISTRY_PORT:", "REGISTRY_WORKERS:", "REGISTRY_CA_FILE:",
        "REGISTRY_PUBLIC_URL:", "REGISTRY_TRUSTED_PROXIES:", "REGISTRY_PYPI_UPSTREAM:",
    )  # fmt: skip
    assert [place for place in places if not any(line.startswith(place) for line in found)] == []
    assert len(found) == len(places)


@pytest.mark.parametrize(
    ("environ", "text", "expected"),
    [
        ({"REGISTRY_PROT": "1"}, "", "REGISTRY_PROT: there is no such setting; did you mean REGISTRY_PORT?"),
        ({}, "[pypi]\nupsteam = 'x'", "registry.toml: pypi.upsteam: there is no such setting; did you mean pypi.upstream?"),
        ({}, "zebra = 1", "registry.toml: zebra: there is no such setting; take it out."),
    ],
)  # fmt: skip
def test_an_unknown_setting_is_a_mistake_and_the_nearest_is_named(
    environ: dict[str, str], text: str, expected: str, tmp_path: Path
) -> None:
    config(tmp_path, text)
    assert problems(environ, tmp_path) == (expected,)


def test_variables_of_the_command_are_no_mistake(tmp_path: Path) -> None:
    load_settings({"REGISTRY_URL": "http://elsewhere:8080", "REGISTRY_TOKEN": "secret"}, tmp_path)


def test_a_named_file_has_to_exist_and_the_usual_one_may_be_missing(tmp_path: Path) -> None:
    load_settings({}, tmp_path)
    assert problems({"REGISTRY_CONFIG": "mine.toml"}, tmp_path)[0].startswith("REGISTRY_CONFIG:")


def test_a_file_that_is_not_toml_says_where(tmp_path: Path) -> None:
    config(tmp_path, "port = \n")
    assert re.match(r"registry\.toml: isn't TOML: .*line 1", problems({}, tmp_path)[0])


def test_upstream_credentials_come_from_the_url_and_leave_it(tmp_path: Path) -> None:
    upstream = load_settings(
        {"REGISTRY_NPM_UPSTREAM": "http://me:s%40e@mirror.lan:81/npm"}, tmp_path
    ).upstreams["npm"]
    assert upstream.url == "http://mirror.lan:81/npm/"
    assert upstream.credentials == Credentials("me", "s@e")
    assert "s@e" not in repr(upstream)


def test_upstream_credentials_come_from_a_user_and_a_password_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    environ = {
        "REGISTRY_PYPI_UPSTREAM": "https://mirror.lan/simple",
        "REGISTRY_PYPI_UPSTREAM_USER": "me",
        "REGISTRY_PYPI_UPSTREAM_PASSWORD_FILE": "secret",
    }
    assert load_settings(environ, tmp_path).upstreams["pypi"].credentials == Credentials("me", "s3cret")
    del environ["REGISTRY_PYPI_UPSTREAM"]
    assert "an upstream that you name" in problems(environ, tmp_path)[0]
    del environ["REGISTRY_PYPI_UPSTREAM_PASSWORD_FILE"]
    assert "belong together" in problems(environ, tmp_path)[0]


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080/npm/", "http://127.0.0.1:8080", "https://packages.lan/npm", "http://me.lan/"],
)
def test_an_upstream_that_is_the_appliance_itself_is_a_mistake(url: str, tmp_path: Path) -> None:
    environ = {
        "REGISTRY_NPM_UPSTREAM": url,
        "REGISTRY_PUBLIC_URL": "https://packages.lan/",
        "REGISTRY_HOSTS": "me.lan",
    }
    assert "this appliance itself" in problems(environ, tmp_path)[0]


def test_back_ends_are_named_with_a_credentials_file(tmp_path: Path) -> None:
    (tmp_path / "login").write_text("gateway:a:b\n")
    environ = {
        "REGISTRY_PYPISERVER_URL": "http://127.0.0.1:9000",
        "REGISTRY_PYPISERVER_CREDENTIALS": "login",
    }
    back_end = load_settings(environ, tmp_path).back_ends["pypi"]
    assert (back_end.url, back_end.credentials) == ("http://127.0.0.1:9000/", Credentials("gateway", "a:b"))
    (tmp_path / "login").write_text("gateway\n")
    assert "user:password" in problems(environ, tmp_path)[0]


def test_a_message_about_a_url_does_not_repeat_its_password(tmp_path: Path) -> None:
    assert "hunter2" not in "".join(problems({"REGISTRY_NPM_UPSTREAM": "https//u:hunter2@x"}, tmp_path))


@pytest.mark.parametrize(
    ("text", "size"), [("64 MiB", 64 << 20), ("2gib", 2 << 30), ("1024", 1024), ("7 KiB", 7168)]
)
def test_sizes_are_bytes_or_have_a_binary_unit(text: str, size: int, tmp_path: Path) -> None:
    assert (
        load_settings({"REGISTRY_DOCUMENT_LIMIT": text}, tmp_path).upstreams["npm"].limits.document_bytes
        == size
    )


def shown_settings() -> dict[str, object]:
    """What the shipped file would say with every setting uncommented, flattened."""
    text = re.sub(r"^# ([a-z_]+ = .*)$", r"\1", SHIPPED.read_text(), flags=re.MULTILINE)
    return dict(_flat(tomllib.loads(text)))


def test_more_than_the_private_back_ends_take_is_a_mistake(tmp_path: Path) -> None:
    assert "pypiserver takes" in problems({"REGISTRY_UPLOAD_LIMIT": "2 GiB"}, tmp_path)[0]


def test_the_shipped_file_sets_nothing() -> None:
    assert dict(_flat(tomllib.loads(SHIPPED.read_text()))) == {}


def test_the_shipped_file_shows_every_setting() -> None:
    assert set(shown_settings()) == set(known_settings())


def test_what_the_shipped_file_shows_is_the_default(tmp_path: Path) -> None:
    default = load_settings({}, tmp_path)
    shown = {key: value for key, value in shown_settings().items() if key not in EXAMPLES}
    config(tmp_path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in shown.items()))
    assert load_settings({}, tmp_path) == default


def test_a_key_needs_its_certificate_and_a_certificate_may_hold_its_key(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_text("")
    (line,) = problems({"REGISTRY_TLS_KEY": "tls.pem"}, tmp_path)
    assert "set tls_certificate too" in line
    settings = load_settings({"REGISTRY_TLS_CERTIFICATE": "tls.pem"}, tmp_path)
    assert (settings.tls_certificate, settings.tls_key) == (tmp_path / "tls.pem", None)
