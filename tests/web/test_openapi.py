from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer

from registry.web.api import ENDPOINTS
from registry.web.api.openapi import PREFIX, document
from tests.desks import DeskWorld

DOCUMENT = document(ENDPOINTS, "1.2.3")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][PREFIX + path][method]
    return found


def test_every_operation_is_described_under_its_own_id() -> None:
    described = [op for path in DOCUMENT["paths"].values() for op in path.values()]
    assert len({op["operationId"] for op in described}) == len(described) == len(ENDPOINTS)
    assert all(op["summary"] and op["x-role"] for op in described)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    schemas = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert found <= schemas


def test_path_query_and_body_are_told_apart() -> None:
    remove = operation("delete", "/policy/entries/{id}")
    assert [(p["name"], p["in"], p["required"]) for p in remove["parameters"]] == [
        ("id", "path", True),
        ("reason", "query", True),
    ]
    passwd = operation("put", "/users/{name}/password")
    assert [p["name"] for p in passwd["parameters"]] == ["name"]
    body = passwd["requestBody"]["content"]["application/json"]["schema"]
    assert (list(body["properties"]), body["required"]) == (["password"], ["password"])


def test_only_public_operations_need_no_credentials() -> None:
    open_ones = [
        path for path, ops in DOCUMENT["paths"].items() for op in ops.values() if op.get("security") == []
    ]
    assert open_ones == [f"{PREFIX}/refusals/{{id}}"]


def test_no_answer_has_a_field_for_a_secret() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    fields = {field for schema in schemas.values() for field in schema.get("properties", ())}
    assert not {name for name in fields if "password" in name or "secret" in name}


async def test_the_document_is_served_to_anybody(tmp_path: Path) -> None:
    async with (
        TestClient(TestServer(DeskWorld(tmp_path).application("users"))) as api,
        api.get(f"{PREFIX}/openapi.json") as response,
    ):
        assert response.status == 200
        assert msgspec.json.decode(await response.read())["openapi"] == "3.1.0"
