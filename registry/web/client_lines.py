"""The lines that point a packaging client here; start page and `registry client-config` tell the same.

Every line for a client is spelled here and nowhere else. `root` is the appliance's URL without a slash at its
end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Lines:
    """A client's configuration."""

    where: str
    """The file that it belongs into, for people."""
    text: str
    """What belongs there, with a newline at its end. Comments in it begin with `#`."""


def client_lines(client: str, root: str) -> Lines:
    """The lines for one of CLIENTS."""
    return _LINES[client](root)


def commands(root: str) -> tuple[str, ...]:
    """One command each to try it out: install and publish, Python and npm."""
    trusted = trusted_host(root)
    trust = f" --trusted-host {trusted}" if trusted else ""
    return (
        f"pip install --index-url {root}/pypi/simple/{trust} PACKAGE",
        f"uv pip install --default-index {root}/pypi/simple/ PACKAGE",
        f"twine upload --repository-url {root}/pypi/legacy/ dist/*",
        f"uv publish --publish-url {root}/pypi/legacy/ dist/*",
        f"npm install --registry {root}/npm/ PACKAGE",
        f"npm login --auth-type=legacy --registry {root}/npm/",
        f"npm publish --registry {root}/npm/",
    )


def trusted_host(root: str) -> str | None:
    """What pip has to be told before it talks to this URL: the host, of plain http from another machine."""
    parts = urlsplit(root)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return None
    try:
        return None if ip_address(parts.hostname or "").is_loopback else parts.netloc
    except ValueError:
        return parts.netloc


def _pip(root: str) -> Lines:
    trusted = trusted_host(root)
    return Lines(
        "~/.config/pip/pip.conf, or /etc/pip.conf for everybody on the machine",
        _text(
            "[global]",
            f"index-url = {root}/pypi/simple/",
            *([f"trusted-host = {trusted}"] if trusted else []),
            f"# Where only users may read, in ~/.netrc: {_netrc(root)}",
        ),
    )


def _uv(root: str) -> Lines:
    return Lines(
        "~/.config/uv/uv.toml; in pyproject.toml, [[tool.uv.index]] instead of [[index]]",
        _text(
            f'publish-url = "{root}/pypi/legacy/"',
            "",
            "[[index]]",
            f'url = "{root}/pypi/simple/"',
            "default = true",
            f"# Where only users may read, in ~/.netrc: {_netrc(root)}",
        ),
    )


def _poetry(root: str) -> Lines:
    return Lines(
        "pyproject.toml",
        _text(
            "[[tool.poetry.source]]",
            'name = "registry"',
            f'url = "{root}/pypi/simple/"',
            'priority = "primary"',
            f"# To publish: poetry config repositories.registry {root}/pypi/legacy/",
            "# Where only users may read: poetry config http-basic.registry __token__ TOKEN",
        ),
    )


def _npm(root: str) -> Lines:
    return Lines(
        "~/.npmrc, or .npmrc of a project",
        _text(
            f"registry={root}/npm/",
            f"# To publish, and where only users may read: {_bare(root)}/npm/:_authToken=${{NPM_TOKEN}}",
        ),
    )


def _yarn(root: str) -> Lines:
    host = urlsplit(root).hostname
    insecure = ["unsafeHttpWhitelist:", f'  - "{host}"'] if root.startswith("http:") else []
    return Lines(
        ".yarnrc.yml; for yarn 1 what npm has, in ~/.npmrc",
        _text(
            f'npmRegistryServer: "{root}/npm"',
            *insecure,
            '# To publish, and where only users may read: npmAuthToken: "${NPM_TOKEN}"',
        ),
    )


def _docker(root: str) -> Lines:
    return Lines(
        "a Dockerfile, after each FROM whose RUN lines install something",
        _text("ARG " + " \\\n    ".join(f"{name}={value}" for name, value in _variables(root).items())),
    )


def _ci(root: str) -> Lines:
    publishing = {
        "TWINE_REPOSITORY_URL": f"{root}/pypi/legacy/",
        "TWINE_USERNAME": "__token__",
        "UV_PUBLISH_URL": f"{root}/pypi/legacy/",
    }
    return Lines(
        "the variables of a CI job",
        _text(
            *(f"{name}={value}" for name, value in {**_variables(root), **publishing}.items()),
            "# Secrets, tokens of `registry token create`: TWINE_PASSWORD, UV_PUBLISH_TOKEN, NPM_TOKEN",
        ),
    )


def _variables(root: str) -> dict[str, str]:
    """What installs go by, in the environment."""
    variables = {"PIP_INDEX_URL": f"{root}/pypi/simple/"}
    if trusted := trusted_host(root):
        variables["PIP_TRUSTED_HOST"] = trusted
    variables["UV_DEFAULT_INDEX"] = f"{root}/pypi/simple/"
    # In lower case, which npm, older pnpm and yarn 1 all read; pnpm 12 reads its own alone.
    variables["npm_config_registry"] = f"{root}/npm/"
    variables["pnpm_config_registry"] = f"{root}/npm/"
    variables["YARN_NPM_REGISTRY_SERVER"] = f"{root}/npm"
    if root.startswith("http:"):
        variables["YARN_UNSAFE_HTTP_WHITELIST"] = urlsplit(root).hostname or ""
    return variables


def _netrc(root: str) -> str:
    return f"machine {urlsplit(root).hostname} login __token__ password TOKEN"


def _bare(root: str) -> str:
    """Without its scheme, as npm names who gets a token."""
    return root.partition(":")[2]


def _text(*lines: str) -> str:
    return "\n".join([*lines, ""])


_LINES: Mapping[str, Callable[[str], Lines]] = MappingProxyType(
    {
        "pip": _pip, "uv": _uv, "poetry": _poetry, "npm": _npm, "pnpm": _npm, "yarn": _yarn,
        "docker": _docker, "ci": _ci,
    }
)  # fmt: skip

CLIENTS = tuple(_LINES)
"""The clients that lines are known for."""
