"""One operation of the API as a value, and the OpenAPI document made from all of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from registry.model.events import Client
from registry.web.api.desk import Desk
from registry.web.api.wire import Problem

PREFIX = "/api/v1"

Role = Literal["public", "reader", "admin"]
"""public: anybody. reader: whoever may read packages here. admin: an admin."""

Ask = TypeVar("Ask", bound=msgspec.Struct)
Answer = TypeVar("Answer", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Ask, Answer]):
    """One operation of the API."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    """GET never changes anything."""
    path: str
    """Below /api/v1; the parts in braces are fields of `ask`."""
    summary: str
    ask: type[Ask]
    """Path, query and, with POST and PUT, the JSON body, together."""
    answer: type[Answer]
    run: Callable[[Desk, Ask, Client], Awaitable[Answer]]
    role: Role = "admin"
    status: int = 200
    largest: int = 64 * 1024
    """Bytes of the body."""

    @property
    def path_fields(self) -> frozenset[str]:
        """Fields of `ask` that are in the path."""
        return frozenset(re.findall(r"\{(\w+)\}", self.path))

    @property
    def has_body(self) -> bool:
        """Whether fields that aren't in the path come as a JSON body; else they come as a query."""
        return self.method in {"POST", "PUT"}


def document(endpoints: Sequence[Endpoint[Any, Any]], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    types = [kind for endpoint in endpoints for kind in (endpoint.ask, endpoint.answer)]
    schemas, components = msgspec.json.schema_components(
        [*types, Problem], ref_template="#/components/schemas/{name}"
    )
    asks = {endpoint.ask.__name__ for endpoint in endpoints}
    paths: dict[str, dict[str, Any]] = {}
    for number, endpoint in enumerate(endpoints):
        ask, answer = components[endpoint.ask.__name__], schemas[2 * number + 1]
        described = _operation(endpoint, ask, answer, problem=schemas[-1])
        paths.setdefault(f"{PREFIX}{endpoint.path}", {})[endpoint.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Registry appliance",
            "version": version,
            "description": "Everything that the `registry` command does. Errors are problem+json (RFC 9457).",
        },
        "paths": paths,
        "components": {
            # What is asked is written out where it is asked: its fields are in path, query and body.
            "schemas": {name: schema for name, schema in components.items() if name not in asks},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"bearer": []}, {"basic": []}],
    }


def _operation(
    endpoint: Endpoint[Any, Any], ask: dict[str, Any], answer: dict[str, Any], problem: dict[str, Any]
) -> dict[str, Any]:
    required = set(ask.get("required", ()))
    properties: dict[str, Any] = ask.get("properties", {})
    in_body = [name for name in properties if endpoint.has_body and name not in endpoint.path_fields]
    described: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "x-role": endpoint.role,
        "parameters": [
            {
                "name": name,
                "in": "path" if name in endpoint.path_fields else "query",
                "required": name in required,
                "schema": schema,
            }
            for name, schema in properties.items()
            if name not in in_body
        ],
        "responses": {
            str(endpoint.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": answer}},
            },
            "default": {
                "description": "An error.",
                "content": {"application/problem+json": {"schema": problem}},
            },
        },
    }
    if in_body:
        body = {
            "type": "object",
            "properties": {name: properties[name] for name in in_body},
            "required": [name for name in in_body if name in required],
            "additionalProperties": False,
        }
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if endpoint.role == "public":
        described["security"] = []
    return described


def _operation_id(endpoint: Endpoint[Any, Any]) -> str:
    """A name for generated clients: `get_policy_entries`, `delete_users_name`."""
    return f"{endpoint.method.lower()}{re.sub(r'[^a-z]+', '_', endpoint.path)}".rstrip("_")
