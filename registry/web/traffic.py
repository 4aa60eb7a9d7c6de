"""The packaging clients' requests: path → ask → the line → answer → response.

One handler for all ecosystems. What is particular to one of them is in its folder, behind the record.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import hdrs, web

from registry.errors import Malformed, NotAcceptable, NotFound, RegistryError
from registry.model.asks import (
    AmendAsk,
    ArtifactAsk,
    Ask,
    IndexAsk,
    ManifestAsk,
    ProjectsAsk,
    ProvenanceAsk,
    PublishAsk,
    Redirect,
    SearchAsk,
    ServiceAsk,
    TagsAsk,
)
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client
from registry.model.targets import Target
from registry.pipeline.answers import BytesAnswer, FactsAnswer, FileAnswer
from registry.pipeline.gateway import Gateway
from registry.pipeline.publishing import Publishing, may_publish
from registry.web.callers import Callers
from registry.web.files import file_response
from registry.web.flights import flight_response
from registry.web.meaning import Meaning, accepted, cache_control, is_publishing
from registry.web.problems import error_response, unexpected
from registry.web.replies import Reply, bytes_reply, file_fields, takes_bytes
from registry.web.responses import facts_response, rendition_response, response_of
from registry.web.services import Services
from registry.web.site import Site
from registry.web.uploads import change_in, read_change, read_document, read_form, spool

PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"


class Traffic:
    """Everything below `/pypi/` and `/npm/`."""

    def __init__(
        self,
        *,
        meaning: Meaning,
        gateway: Gateway,
        publishing: Publishing,
        services: Services,
        callers: Callers,
        site: Site,
        spool_directory: Path,
        upload_limit: int,
    ) -> None:
        self._meaning = meaning
        self._ecosystems = meaning.ecosystems
        self._gateway = gateway
        self._publishing = publishing
        self._services = services
        self._callers = callers
        self._site = site
        self._spool = spool_directory
        self._upload_limit = upload_limit

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, errors included."""
        name, _, below = self._site.below(request.raw_path).removeprefix("/").partition("/")
        ecosystem = self._ecosystems.get(name)
        if ecosystem is None:  # the router decodes, so it took '/%70ypi/' for '/pypi/'
            return error_response(Malformed("The first part of the path must not be percent-encoded."), None)
        return await self._handle(request, ecosystem, below)

    async def handle_bare(self, request: web.Request) -> web.StreamResponse:
        """The same for a path of npm's that its clients ask for at the origin, without our `/npm/` (N16)."""
        return await self._handle(request, self._ecosystems["npm"], request.raw_path.removeprefix("/"))

    async def _handle(self, request: web.Request, ecosystem: Ecosystem, below: str) -> web.StreamResponse:
        try:
            return await self._answer(request, ecosystem, below)
        except RegistryError as error:
            return error_response(error, ecosystem)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001  the edge: a defect becomes a 500 with an id, never a traceback
            return error_response(unexpected(error), ecosystem)

    async def _answer(self, request: web.Request, ecosystem: Ecosystem, below: str) -> web.StreamResponse:
        root = self._site.root(request)
        target, ask = self._meaning.ask(ecosystem, request.method, below)
        client = await self._callers(request)
        if isinstance(ask, Redirect):
            _, mark, query = below.partition("?")  # as it was encoded: decoded, it could end the header
            return web.Response(
                status=ask.status, headers={hdrs.LOCATION: f"{root}/{ecosystem.name}/{ask.path}{mark}{query}"}
            )
        self._meaning.require_reader(ask, client)
        if isinstance(ask, PublishAsk):
            return await self._publish(request, ecosystem, ask, root, client)
        if isinstance(ask, AmendAsk):
            return await self._amend(request, ask, target, below, client)
        if isinstance(ask, ServiceAsk):
            return await self._services.answer(request, ask, client)
        if isinstance(ask, SearchAsk):
            return await self._services.search(ask, root)
        return await self._read_one(request, ecosystem, ask, root, client)

    async def _read_one(
        self, request: web.Request, ecosystem: Ecosystem, ask: Ask, root: str, client: Client
    ) -> web.StreamResponse:
        lasting = cache_control(request)
        match ask:
            case IndexAsk():
                if ask.writable:
                    may_publish(client)
                representation = self._meaning.representation(ecosystem, ask, request)
                stay = is_publishing(request)
                index = await self._gateway.index(ask, representation, root, client, stay=stay)
                return rendition_response(request, index, lasting, self._meaning.vary(ecosystem))
            case ManifestAsk():
                index = await self._gateway.manifest(ask, root, client)
                return rendition_response(request, index, lasting)
            case TagsAsk():
                index = await self._gateway.tags(ask, root, client)
                return rendition_response(request, index, lasting)
            case ArtifactAsk():
                return await self._file(request, ask, root, client)
            case ProvenanceAsk(filename=None):  # npm's: of a version, not of a file
                await self._gateway.attested(ask, root, client)
                return await self._services.attestations(ask)
            case ProvenanceAsk(filename=str() as filename):
                content_type = _provenance_type(request)
                found = await self._gateway.provenance(ArtifactAsk(ask.project, filename), root, client)
                return _varying(bytes_reply(request, found.etag, found.body, lasting, content_type))
            case ProjectsAsk():
                return await self._projects(request, ecosystem, ask)
            case _:
                raise NotFound("This appliance doesn't offer that.")

    async def _file(
        self, request: web.Request, ask: ArtifactAsk, root: str, client: Client
    ) -> web.StreamResponse:
        fetches = request.method == hdrs.METH_GET
        answer = await self._gateway.artifact(
            ask, root, client, partial(takes_bytes, request), fetches=fetches
        )
        if isinstance(answer, BytesAnswer):
            return response_of(bytes_reply(request, answer.etag, answer.body, cache_control(request)))
        fields = file_fields(cache_control(request), "HIT" if isinstance(answer, FileAnswer) else "MISS")
        if isinstance(answer, FactsAnswer):
            return facts_response(answer, fields)
        response: web.StreamResponse
        if isinstance(answer, FileAnswer):
            response = await file_response(request, answer, fields)
        else:
            response = await flight_response(request, answer, fields, deliver=fetches)
        await response.prepare(request)  # here, where a file that can't be opened still becomes an answer
        return response

    async def _projects(
        self, request: web.Request, ecosystem: Ecosystem, ask: ProjectsAsk
    ) -> web.StreamResponse:
        if ecosystem.render_projects is None:
            raise NotFound("This appliance doesn't offer a list of all projects here.")
        representation = self._meaning.representation(ecosystem, ask, request)
        names = await self._gateway.known_projects(ecosystem.name)
        body = ecosystem.render_projects(names, representation)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        reply = bytes_reply(request, etag, body, cache_control(request), representation.content_type)
        return _varying(reply)

    async def _publish(
        self, request: web.Request, ecosystem: Ecosystem, ask: PublishAsk, root: str, client: Client
    ) -> web.StreamResponse:
        may_publish(client)
        limit = self._upload_limit
        async with spool(self._spool) as path:
            if ask.project is None:
                upload = await read_form(request, path, limit)
                artifact = await self._publishing.upload(ecosystem.name, upload, path, root, client)
                return web.json_response({"ok": True, "filename": artifact.filename})
            await read_document(request, path, limit)
            async with spool(self._spool) as file:
                published = await self._publishing.document(ask.project, path, file, limit, root, client)
            if published is not None:
                return web.json_response({"ok": True, "success": True}, status=201)
            body = change_in(path)
        change = AmendAsk(ask.project, "document")
        below = ecosystem.source_path(ask.project)
        return _passed_on(await self._publishing.amend(change, "PUT", below, body, client))

    async def _amend(
        self, request: web.Request, ask: AmendAsk, target: Target, below: str, client: Client
    ) -> web.StreamResponse:
        may_publish(client)
        body = await read_change(request)
        path_only = below.partition("?")[0]
        return _passed_on(await self._publishing.amend(ask, target.method, path_only, body, client))


def _varying(reply: Reply) -> web.StreamResponse:
    """A document that comes in several forms."""
    reply.fields[hdrs.VARY] = "Accept"
    return response_of(reply)


def _provenance_type(request: web.Request) -> str:
    """PEP 740's own type, or plain JSON for a client that knows only that. Raises NotAcceptable."""
    said = (accepted(request) or "*/*").lower()
    wanted = [part.partition(";")[0].strip() for part in said.split(",")]
    if any(each in {PROVENANCE_TYPE, "application/vnd.pypi.integrity.latest+json"} for each in wanted):
        return PROVENANCE_TYPE
    if "application/json" in wanted:
        return "application/json"
    if {"*/*", "application/*"} & set(wanted):
        return PROVENANCE_TYPE
    raise NotAcceptable(f"Provenance comes as {PROVENANCE_TYPE} only.")


def _passed_on(answer: tuple[int, bytes]) -> web.Response:
    status, body = answer
    if not body:
        body = msgspec.json.encode({"ok": status < 400})
    return web.Response(status=status, body=body, content_type="application/json")
