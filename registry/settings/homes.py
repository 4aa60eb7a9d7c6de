"""Where each source lives, out of the settings and of what this machine's own clients would use."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from registry.errors import ConfigurationError
from registry.settings import Credentials, Settings
from registry.sources.egress import Home
from registry.sources.inherit import Clients, inherit


async def upstream_homes(settings: Settings, environ: Mapping[str, str]) -> dict[str, tuple[Home, str]]:
    """Where public packages come from, by ecosystem, and how that was found out.

    A registry that somebody pointed this machine's pip or npm at counts as named, like one in our settings;
    only what the ecosystems' own constants say doesn't. Raises ConfigurationError.
    """
    names = tuple(name for name, upstream in settings.upstreams.items() if upstream.url is None)
    inherited = await inherit(names, environ, settings.origins, Clients.of_this_machine())
    usual = await inherit(names, {}, settings.origins, Clients(pip=None, npm=None))
    homes = {}
    for name, upstream in settings.upstreams.items():
        if upstream.url is None:
            found = inherited[name]
            named = found.url != usual[name].url
            homes[name] = (
                Home.parse(found.url, named=named, setting=f"{name}.upstream, from {found.way}"),
                found.way,
            )
        else:
            url = _with_login(upstream.url, upstream.credentials)
            homes[name] = Home.parse(url, named=True, setting=f"{name}.upstream"), "the settings"
    return homes


def back_end_home(settings: Settings, name: str) -> Home:
    """Where the private packages of one ecosystem are kept. Raises ConfigurationError."""
    part = settings.back_ends[name]
    setting = f"The URL of the private {name} back end"
    if part.url is None:
        raise ConfigurationError([f"{setting} isn't set; ./scripts/run sets it by itself."])
    return Home.parse(_with_login(part.url, part.credentials), named=True, setting=setting)


def _with_login(url: str, credentials: Credentials | None) -> str:
    if credentials is None:
        return url
    parts = urlsplit(url)
    login = f"{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
