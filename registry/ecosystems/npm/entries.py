"""A packument's JSON and each version's manifest: taken apart as far as it can be, nothing believed."""

from __future__ import annotations

import binascii
import codecs
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from registry.errors import SourceFailed
from registry.model.artifacts import STRENGTH, Digest, Signature

Fields: TypeAlias = dict[str, msgspec.Raw]
"""A JSON object whose values stay the bytes they are; the last of two equal keys counts, as in JavaScript."""

FIELDS = msgspec.json.Decoder(Fields)

MAX_SIGNATURES = 8
"""Of one version; there is one, and two while a registry changes its key."""

_DIGEST_SIZES = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20, "md5": 16}
_SHASUM = re.compile(r"[0-9a-fA-F]{40}")

_WORD = re.compile(r"[!-~]{1,512}")

_SURROGATES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)


class _Dist(msgspec.Struct, gc=False):
    """`dist` of a manifest: whatever its source says, nothing of it checked."""

    tarball: Any = None
    integrity: Any = None
    shasum: Any = None
    signatures: Any = None
    attestations: Any = None


class _Scripts(msgspec.Struct, gc=False):
    preinstall: Any = None
    install: Any = None
    postinstall: Any = None


class Manifest(msgspec.Struct, gc=False):
    """What policy and the file door need of one version, unchecked."""

    dist: _Dist
    name: Any = None
    version: Any = None
    deprecated: Any = None
    scripts: _Scripts | None = None
    has_install_script: Any = msgspec.field(name="hasInstallScript", default=None)
    gypfile: Any = None
    npm_user: Any = msgspec.field(name="_npmUser", default=None)

    @property
    def runs_scripts(self) -> bool:
        """Whether installing would run code of the package; `hasInstallScript` is often left out."""
        if self.has_install_script is True or self.gypfile is True:
            return True
        scripts = self.scripts
        return scripts is not None and bool(scripts.preinstall or scripts.install or scripts.postinstall)


_MANIFEST = msgspec.json.Decoder(Manifest)


def read_object(body: bytes) -> Fields:
    """A JSON object, one level deep; raises SourceFailed for anything else.

    Lone surrogates (a readme cut in the middle of an emoji has one) become U+FFFD; no strict decoder takes
    them, and JavaScript shows them like that.
    """
    try:
        _require_utf8(body)
        try:
            return FIELDS.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return FIELDS.decode(_SURROGATES.sub(_mended, body))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise SourceFailed(f"The source's document is not a JSON object: {error}.") from None
    except RecursionError:
        raise SourceFailed("The source's document is nested too deeply.") from None


def value(raw: msgspec.Raw | None) -> Any:
    """What a carried value says; None for one that is missing, or broken in a way that only shows now."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def moment(text: object) -> datetime | None:
    """An ISO 8601 time with an offset as aware UTC, else None."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return None if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_manifest(raw: bytes | msgspec.Raw) -> Manifest:
    """What one version says of itself. Values that can't be read, and those of odd kinds, count as missing.

    Raises MsgspecError, UnicodeError and KeyError where it has no readable `dist`, RecursionError.
    """
    try:
        return _MANIFEST.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # one of its values, which may not matter
    fields = FIELDS.decode(raw)
    dist = FIELDS.decode(fields["dist"])
    scripts = value(fields.get("scripts"))
    return Manifest(
        dist=_Dist(**{each: value(dist.get(each)) for each in _Dist.__struct_fields__}),
        name=value(fields.get("name")),
        version=value(fields.get("version")),
        deprecated=value(fields.get("deprecated")),
        scripts=msgspec.convert(scripts, _Scripts) if isinstance(scripts, dict) else None,
        has_install_script=value(fields.get("hasInstallScript")),
        gypfile=value(fields.get("gypfile")),
        npm_user=value(fields.get("_npmUser")),
    )


def announced_digests(integrity: object, shasum: object) -> tuple[Digest, ...]:
    """The digests in `integrity` (SRI, several) and `shasum`, the strongest first.

    An algorithm nobody knows is passed over; two answers for one algorithm raise ValueError.
    """
    found: dict[str, Digest] = {}
    entries = [_sri(entry) for entry in integrity.split()] if isinstance(integrity, str) else []
    if isinstance(shasum, str) and _SHASUM.fullmatch(shasum):
        entries.append(Digest("sha1", shasum.lower()))
    for digest in entries:
        if digest is not None and found.setdefault(digest.algorithm, digest) != digest:
            raise ValueError(f"it announces two {digest.algorithm} digests for one file")
    return tuple([found[algorithm] for algorithm in STRENGTH if algorithm in found])


def announced_signatures(entries: object) -> tuple[Signature, ...]:
    """The registry signatures in `dist.signatures`; an entry that can't be one is passed over."""
    found = entries if isinstance(entries, list) else []
    return tuple(
        Signature(each["keyid"], each["sig"])
        for each in found[:MAX_SIGNATURES]
        if isinstance(each, dict) and _is_word(each.get("keyid")) and _is_word(each.get("sig"))
    )


def _is_word(text: object) -> bool:
    return isinstance(text, str) and _WORD.fullmatch(text) is not None


def _sri(entry: str) -> Digest | None:
    algorithm, _, rest = entry.partition("-")
    try:
        raw = binascii.a2b_base64(rest.partition("?")[0], strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return Digest(algorithm, raw.hex()) if len(raw) == _DIGEST_SIZES.get(algorithm) else None


def _require_utf8(body: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view, step = memoryview(body), 1 << 16  # the C library would map memory for each larger piece
    for start in range(0, len(body), step):
        decoder.decode(view[start : start + step], final=start + step >= len(body))


def _mended(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return rb"\ufffd" if len(found) == len(rb"\ud800") else found
