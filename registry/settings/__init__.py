"""What an operator set: one frozen value, or one error that lists every mistake.

Only the composition roots (app, appliance, cli) see a Settings; every constructor gets the two or three
values that it needs. `kinds` says what a value may look like, `reader` where it comes from, and here is the
list of all settings, which `config/registry.toml` documents line by line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote

from registry.errors import ConfigurationError
from registry.settings import kinds
from registry.settings.kinds import Network
from registry.settings.reader import Reader
from registry.sources.inherit import Origin, is_ours, own_origins
from registry.sources.limits import Limits

MIB = 1 << 20

LARGEST_UPLOAD = 1000 * MIB
"""What the server under pypiserver takes, less the form around the file."""

VARIABLES_OF_THE_COMMAND = frozenset({"REGISTRY_TOKEN", "REGISTRY_URL"})
"""What the command reads to talk to an appliance elsewhere: no settings of an appliance."""

BACK_ENDS = {"pypi": "pypiserver", "npm": "verdaccio"}
"""Ecosystem → the part that keeps its private packages."""

_PREFIX = re.compile(
    r"/?|(?!/(?:pypi|npm|api|why|static|metrics|-)(?:/|$))(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/?"
)
"""The path of a public URL: none, or one that can't be taken for a path below it."""

_HOSTS: Callable[[object], tuple[str, ...]] = kinds.several(kinds.host)
_FILE_HOSTS: Callable[[object], tuple[str, ...]] = kinds.several(kinds.file_host)
_NETWORKS: Callable[[object], tuple[Network, ...]] = kinds.several(kinds.network)
_NO_HOSTS: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and its password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where one ecosystem's public packages come from."""

    url: str | None
    """Base URL with a slash at its end and without credentials; None to inherit it."""
    credentials: Credentials | None
    file_hosts: tuple[str, ...]
    """Hosts (`name`, `name:port`, `http://name:port`) that files may come from, besides the upstream."""
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEnd:
    """Where one ecosystem's private packages are kept."""

    url: str | None
    """Base URL with a slash at its end; None where ./scripts/run starts the part itself."""
    credentials: Credentials | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them. Paths are absolute, sizes bytes, durations seconds."""

    host: str
    port: int
    listen_fd: int | None
    """A listening socket that was handed down; host and port then say what it is bound to."""
    public_url: str | None
    """Without a slash at its end; None: the URL that the request came by."""
    hosts: frozenset[str]
    """Host names that are ours, besides loopback, IP literals, the machine's own and the public URL's."""
    trusted_proxies: tuple[Network, ...]
    """Whose X-Forwarded-* count."""
    tls_certificate: Path | None
    """The chain that is shown to clients; None to speak plain HTTP."""
    tls_key: Path | None
    """None where the certificate's file holds it too."""
    read: str
    """`anyone` or `users`."""
    data: Path
    volume: Path
    config: Path
    policy: Path
    workers: int
    ca_file: Path | None
    log_level: str
    upload_limit: int
    cache_quota: int
    """Of the public files on the volume; 0 for as many as there is room for."""
    memory_cache: int
    """Of the rendered indexes that are kept in memory."""
    freshness: float
    """For how long an index is served without asking upstream whether it changed."""
    npm_audit: str
    """`forward` to the upstream, less the names that are ours; `local`, by imported advisories; `off`."""
    npm_lock_files: str
    """`ours`: npm's lock files name this appliance; `portable`: none, since npm is told addresses that
    it replaces by those of whatever registry it is set to."""
    npm_missing_times: str
    """What npm's clients are told of versions whose time nobody tells: `epoch`, `first-sight` or `none`."""
    upstreams: Mapping[str, Upstream]
    """By ecosystem."""
    back_ends: Mapping[str, BackEnd]
    """By ecosystem."""

    @property
    def origins(self) -> frozenset[Origin]:
        """(host, port) of every URL that leads to ourselves."""
        return own_origins(self.host, self.port, self.public_url, self.hosts)


def load_settings(environ: Mapping[str, str], directory: Path) -> Settings:
    """The settings of `environ` and of the file that it names; relative paths start at `directory`.

    Raises ConfigurationError that lists every mistake: its key, what is wrong, what to do.
    """
    reader = Reader(environ)
    settings = _read(reader, environ, directory)
    reader.report_unknown(VARIABLES_OF_THE_COMMAND)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return settings


def known_settings() -> Mapping[str, object]:
    """Every setting that registry.toml may have → its default."""
    reader = Reader({})
    _read(reader, {}, Path("/"))
    return reader.known


def _read(reader: Reader, environ: Mapping[str, str], directory: Path) -> Settings:
    config = reader.variable("config", kinds.path, Path("config/registry.toml"))
    reader.open(directory / config, required="REGISTRY_CONFIG" in environ)
    get = reader.get
    data = get("data", kinds.path, Path("data"))
    public_url = get("public_url", kinds.url, None)
    if public_url is not None and public_url.username is not None:
        reader.problems.append(f"{reader.place('public_url')}: clients see it; leave the credentials out.")
    if public_url is not None and not _PREFIX.fullmatch(public_url.path):
        reader.problems.append(
            f"{reader.place('public_url')}: a path has plain letters, digits, '.', '_', '-', and doesn't "
            "begin with a part that means something here, as 'npm' does; write it like 'https://host/registry'."
        )
    document_limit = get("document_limit", kinds.size, 256 * MIB)
    settings = Settings(
        host=get("host", kinds.text, "127.0.0.1"),
        port=get("port", kinds.whole(1, 65_535), 8080),
        listen_fd=reader.variable("listen_fd", kinds.whole(3, 1_048_576), None),
        public_url=_base(public_url).rstrip("/") if public_url is not None else None,
        hosts=frozenset(get("hosts", _HOSTS, _NO_HOSTS)),
        trusted_proxies=get("trusted_proxies", _NETWORKS, ()),
        tls_certificate=_file(reader, directory, "tls_certificate"),
        tls_key=_file(reader, directory, "tls_key"),
        read=get("read", kinds.one_of("anyone", "users"), "anyone"),
        data=directory / data,
        volume=directory / get("volume", kinds.path, data / "volume"),
        config=directory / config,
        policy=directory / get("policy", kinds.path, Path("config/policy.toml")),
        workers=get("workers", kinds.whole(1, 64), 1),
        ca_file=_file(reader, directory, "ca_file"),
        log_level=get("log_level", kinds.one_of("debug", "info", "warning", "error"), "info"),
        upload_limit=get("upload_limit", kinds.size, LARGEST_UPLOAD),
        cache_quota=get("cache_quota", _quota, 0),
        memory_cache=get("memory_cache", kinds.size, 64 * MIB),
        freshness=get("freshness", kinds.seconds, 600.0),
        npm_lock_files=get("npm.lock_files", kinds.one_of("ours", "portable"), "ours"),
        npm_missing_times=get("npm.missing_times", kinds.one_of("epoch", "first-sight", "none"), "epoch"),
        npm_audit=get("npm.audit", kinds.one_of("forward", "local", "off"), "forward"),
        upstreams={name: _upstream(reader, directory, name, document_limit) for name in BACK_ENDS},
        back_ends={name: _back_end(reader, directory, part) for name, part in BACK_ENDS.items()},
    )
    if settings.upload_limit > LARGEST_UPLOAD:
        reader.problems.append(
            f"{reader.place('upload_limit')}: pypiserver takes files up to 1000 MiB; set that or less."
        )
    if settings.tls_key is not None and settings.tls_certificate is None:
        reader.problems.append(
            f"{reader.place('tls_key')}: a key without its certificate; set tls_certificate too."
        )
    for name, upstream in settings.upstreams.items():
        if upstream.url is not None and is_ours(upstream.url, settings.origins):
            place = reader.place(f"{name}.upstream")
            reader.problems.append(f"{place}: that is this appliance itself; name the registry behind it.")
    return settings


def _upstream(reader: Reader, directory: Path, name: str, document_limit: int) -> Upstream:
    default = Limits()
    parts = reader.get(f"{name}.upstream", _url_or_inherit, None)
    user = reader.get(f"{name}.upstream_user", kinds.text, None)
    password = _file(reader, directory, f"{name}.upstream_password_file")
    limits = Limits(
        connect=reader.get(f"{name}.connect_timeout", kinds.seconds, default.connect),
        first_byte=reader.get(f"{name}.first_byte_timeout", kinds.seconds, default.first_byte),
        window=reader.get(f"{name}.stall_timeout", kinds.seconds, default.window),
        document_bytes=document_limit,
        document_setting="document_limit",
    )
    credentials = None
    if (user is None) != (password is None):
        reader.problems.append(
            f"{reader.place(f'{name}.upstream_user')}: a user and a password file belong together; "
            "set both or neither."
        )
    elif user is not None and password is not None:
        credentials = Credentials(user, _secret(reader, password, f"{name}.upstream_password_file"))
    if parts is not None and parts.username is not None:
        if credentials is not None:
            reader.problems.append(
                f"{reader.place(f'{name}.upstream')}: its URL has credentials, and {name}.upstream_user is "
                "set too; keep one of them."
            )
        credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
    if parts is None and credentials is not None:
        reader.problems.append(
            f"{reader.place(f'{name}.upstream_user')}: credentials are sent to an upstream that you name; "
            f"set {name}.upstream too."
        )
    return Upstream(
        url=_base(parts) if parts is not None else None,
        credentials=credentials,
        file_hosts=reader.get(f"{name}.file_hosts", _FILE_HOSTS, ()),
        limits=limits,
    )


def _back_end(reader: Reader, directory: Path, part: str) -> BackEnd:
    parts = reader.get(f"{part}.url", kinds.url, None)
    path = _file(reader, directory, f"{part}.credentials")
    credentials = None
    if path is not None:
        user, colon, password = _secret(reader, path, f"{part}.credentials").partition(":")
        credentials = Credentials(user, password)
        if not colon:
            place = reader.place(f"{part}.credentials")
            reader.problems.append(f"{place}: the file's one line isn't 'user:password'; write it so.")
    return BackEnd(url=_base(parts) if parts is not None else None, credentials=credentials)


def _quota(value: object) -> int:
    return 0 if value in {0, "0"} else kinds.size(value)


def _url_or_inherit(value: object) -> SplitResult | None:
    return None if value == "inherit" else kinds.url(value)


def _base(parts: SplitResult) -> str:
    """A URL without credentials, with one slash at its end."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"{parts.path.rstrip('/')}/").geturl()


def _file(reader: Reader, directory: Path, key: str) -> Path | None:
    """The path of a file that has to be there."""
    path = reader.get(key, kinds.path, None)
    if path is None:
        return None
    if not (directory / path).is_file():
        reader.problems.append(f"{reader.place(key)}: there is no file {path}; correct the path or unset it.")
        return None
    return directory / path


def _secret(reader: Reader, path: Path, key: str) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reader.problems.append(
            f"{reader.place(key)}: can't be read ({error}); correct its rights or its bytes."
        )
        return ""
