"""The running appliance, asked over HTTP.

Where it is: REGISTRY_URL, else the address in the settings. Who we are: REGISTRY_TOKEN, else the appliance's
own `keys/admin-token`, which is never sent to another machine.
"""

from __future__ import annotations

import getpass
import http.client
import ipaddress
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from registry import __version__
from registry.appliance.reach import own_trust, own_url
from registry.cli.exits import Misused, Negative, Unreachable, misconfigured
from registry.errors import ConfigurationError
from registry.settings import Settings, load_settings

START_IT = "start it with ./scripts/run, or say where it is with REGISTRY_URL"
PATIENCE = 60.0
"""Seconds without a byte after which the appliance counts as unreachable."""


class Api:
    """One appliance and the token it is asked with."""

    def __init__(self, url: str, token: str, trust: ssl.SSLContext | None = None) -> None:
        """`trust` is for an https URL; the system's without it."""
        self.url = url.rstrip("/")
        self._parts = _parse(self.url)
        self._token = token
        self._trust = trust

    def get(self, path: str, **query: object) -> Any:
        """Ask. Parameters that are None are left out."""
        return self._call("GET", path, query, None)

    def every(self, path: str, **query: object) -> Iterator[Any]:
        """All items of a list that is paged by offset."""
        offset: int | None = 0
        while offset is not None:
            page = self.get(path, **query, offset=offset, limit=1_000)
            yield from page["items"]
            offset = page["next"]

    def post(self, path: str, **body: object) -> Any:
        """Make something."""
        return self._call("POST", path, {}, body)

    def put(self, path: str, **body: object) -> Any:
        """Replace something."""
        return self._call("PUT", path, {}, body)

    def delete(self, path: str, **query: object) -> Any:
        """Take something away."""
        return self._call("DELETE", path, query, None)

    def _call(
        self, method: str, path: str, query: Mapping[str, object], body: Mapping[str, object] | None
    ) -> Any:
        given = {key: value for key, value in query.items() if value is not None}
        target = f"{self._parts.path}/api/v1{path}" + (f"?{urlencode(given)}" if given else "")
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "User-Agent": _agent(),
        }
        content = None
        if body is not None:
            content = json.dumps({key: value for key, value in body.items() if value is not None})
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except ssl.SSLError as error:
            raise Unreachable(
                f"TLS with {self.url} failed ({error.reason}); check its certificate."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"No appliance answers at {self.url} ({_why(error)}); {START_IT}.") from None
        finally:
            connection.close()
        return self._answer(status, text)

    def _answer(self, status: int, text: bytes) -> Any:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if answer is None or (status >= 400 and "detail" not in answer):
            raise Unreachable(
                f"What answers at {self.url} is no registry appliance (status {status}); {START_IT}."
            )
        if status < 400:
            return answer
        if status >= 500:
            raise Unreachable(answer["detail"])
        raise Misused(answer["detail"]) if status == 400 else Negative(answer["detail"])

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=PATIENCE)
        trust = self._trust or ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=trust)


def connect() -> Api:
    """The appliance that environment and settings name. Raises what says why there is none."""
    return find(os.environ, Path.cwd())


def settings_here() -> Settings:
    """The settings of this directory and environment. Raises Misused with every mistake."""
    try:
        return load_settings(os.environ, Path.cwd())
    except ConfigurationError as error:
        raise misconfigured(error.problems) from None


def find(environ: Mapping[str, str], directory: Path) -> Api:
    """The appliance that `environ` and the settings below `directory` name."""
    url, token = environ.get("REGISTRY_URL"), environ.get("REGISTRY_TOKEN")
    if url and token:
        return Api(url, token)
    if url and not _is_this_machine(_parse(url)):
        raise Misused(
            "REGISTRY_URL names another machine, which doesn't get this machine's admin token; set "
            "REGISTRY_TOKEN to a token of scope admin of that appliance."
        )
    try:
        settings = load_settings(environ, directory)
    except ConfigurationError as error:
        raise misconfigured(error.problems) from None
    token = token or _own_token(settings.data)
    return Api(url, token, _trust(settings)) if url else _own(settings, token)


def segment(text: str) -> str:
    """A value as one part of a path."""
    return quote(text, safe="")


def _own(settings: Settings, token: str) -> Api:
    certificate = settings.tls_certificate
    try:
        trust = own_trust(certificate) if certificate is not None else None
    except ConfigurationError as error:
        raise misconfigured(error.problems) from None
    return Api(own_url(settings.host, settings.port, certificate), token, trust)


def _trust(settings: Settings) -> ssl.SSLContext:
    trust = ssl.create_default_context()
    if settings.ca_file is not None:
        trust.load_verify_locations(settings.ca_file)
    return trust


def _own_token(data: Path) -> str:
    path = data / "keys" / "admin-token"
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        raise Unreachable(
            f"There is no {path}, so no appliance ever ran on this data directory; {START_IT} and "
            "REGISTRY_TOKEN, or name its directory with REGISTRY_DATA."
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{path} can't be read ({error.strerror}); use the account that runs the appliance, or set "
            "REGISTRY_TOKEN."
        ) from None


def appliance_url(url: str) -> str:
    """A URL that somebody gave, without a slash at its end. Raises Misused for what is no appliance's."""
    parts = _parse(url)
    if parts.query or parts.fragment:
        raise Misused("The URL of an appliance has neither '?' nor '#'; leave off what comes after.")
    return url.strip().rstrip("/")


def _parse(url: str) -> SplitResult:
    wrong = Misused(
        "REGISTRY_URL, or --url, isn't the URL of an appliance; it looks like http://packages.example:8080."
    )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise wrong
    return parts


def _is_this_machine(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _agent() -> str:
    """Names the person in the log, beside the token that all of them share."""
    try:
        person = getpass.getuser()
    except (KeyError, OSError):
        person = "unknown"
    return f"registry-cli/{__version__} ({''.join(c for c in person if ' ' < c <= '~')[:32]})"


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
