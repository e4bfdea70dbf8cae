"""Whether a request is one that its provider describes: known parameters only, within their limits."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.providers.stub import Request

_FOLDER = Path(__file__).parent / "contracts"


@cache
def operations() -> tuple[dict[str, Any], ...]:
    files = sorted(_FOLDER.glob("*.json"))
    return tuple(one for file in files for one in json.loads(file.read_text("utf-8"))["operations"])


def assert_described(request: Request) -> None:
    """Fail unless some operation is this request's, and the request fits it."""
    path, _, query = request.path.partition("?")
    operation = next(
        (one for one in operations() if one["method"] == request.method and re.fullmatch(one["path"], path)),
        None,
    )
    assert operation, f"no operation is {request.method} {path}"
    _assert_fits(_form(query, operation.get("query", {})), operation.get("query", {"maxProperties": 0}))
    if "body" not in operation:
        assert not request.body
        return
    assert request.headers["content-type"] == operation["content_type"]
    if operation["content_type"] == "application/json":
        _assert_fits(json.loads(request.body), operation["body"])
    else:
        _assert_fits(_form(request.body.decode(), operation["body"]), operation["body"])


def _form(text: str, schema: dict[str, Any]) -> dict[str, str | int]:
    """Take a form apart; a name that comes twice is not what any operation here has."""
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    found = dict(pairs)
    assert len(found) == len(pairs)
    kinds = schema.get("properties", {})
    return {
        name: int(value) if kinds.get(name, {}).get("type") == "integer" else value
        for name, value in found.items()
    }


def _assert_fits(instance: object, schema: dict[str, Any]) -> None:
    wrong = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(instance)
    ]
    assert not wrong, wrong
