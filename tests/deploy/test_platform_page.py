"""docs/platform.md: what its TypeScript asks of the database fits the schema, and its events are complete."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest

from db.engine import dsn
from db.models.enums import ActorType, EventType
from db.queries.outbox import EventFacts
from services.notifications.catalogue import Announcement, judge
from tests.deploy.composed import ROOT
from tests.deploy.reading import snippets

if TYPE_CHECKING:
    from tests.databases import Database

PAGE = ROOT / "docs/platform.md"
TYPESCRIPT = "\n".join(snippets(PAGE, "ts"))
TABLES = json.loads((ROOT / "db/catalogs/v2.json").read_text("utf-8"))["tables"]

_QUERY = re.compile(r"\.query(?:<[^(]*>)?\(\s*(?:`([^`]+)`|\"([^\"]+)\")")
_CHAIN = re.compile(r"\.from\(\"(\w+)\"\)(.*?);\n", re.DOTALL)
_SELECTED = re.compile(r"\.select\(\"([^\"]+)\"")
_NAMED = re.compile(r"\.(?:eq|is|order)\(\"(\w+)\"")
_WRITTEN = re.compile(r"\.(?:insert|update)\(\{(.*?)\}\)", re.DOTALL)
_KEY = re.compile(r"(?:^|[{,])\s*(\w+):", re.MULTILINE)
_CALL = re.compile(r"\.rpc\(\"(\w+)\", \{(.*?)\}\)", re.DOTALL)
_ROW = re.compile(r"^\| `([A-Z_]+)` \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)

ROWS = _ROW.findall(PAGE.read_text("utf-8"))
QUERIES = [written or quoted for written, quoted in _QUERY.findall(TYPESCRIPT)]
STATEMENTS = [query for query in QUERIES if query not in {"begin", "commit", "rollback"}]


def test_no_query_is_passed_over() -> None:
    assert len(QUERIES) == TYPESCRIPT.count(".query")


def test_the_statements_fit_the_schema(module_database: Database) -> None:
    with psycopg.connect(dsn(module_database.owner_url)) as connection:
        for number, statement in enumerate(STATEMENTS):
            connection.execute(f"prepare statement_{number} as {statement}".encode())
        connection.rollback()


def test_supabase_js_names_columns_that_there_are() -> None:
    chains = _CHAIN.findall(TYPESCRIPT)
    assert len(chains) == TYPESCRIPT.count(".from(")
    for table, chain in chains:
        columns = {column["name"] for column in TABLES[table]}
        named = {name for names in _SELECTED.findall(chain) for name in names.split(", ")}
        named |= set(_NAMED.findall(chain))
        named |= {key for written in _WRITTEN.findall(chain) for key in _KEY.findall(written)}
        assert named, chain
        assert named <= columns, table


def test_supabase_js_calls_functions_that_there_are(module_database: Database) -> None:
    calls = _CALL.findall(TYPESCRIPT)
    assert len(calls) == TYPESCRIPT.count(".rpc(")
    with psycopg.connect(dsn(module_database.owner_url)) as connection:
        for statement in snippets(PAGE, "sql"):
            connection.execute(statement.encode())
        for name, given in calls:
            row = connection.execute(
                "select proargnames[:pronargs] from pg_proc where oid = to_regproc(%s)", [f"public.{name}"]
            ).fetchone()
            assert row is not None, name
            assert set(_KEY.findall(given)) == set(row[0])
        connection.rollback()


def test_a_session_carries_what_settling_looks_at() -> None:
    metadata = re.search(r"metadata: \{(.*?)\}", TYPESCRIPT)
    assert metadata is not None
    assert set(_KEY.findall(metadata[1])) == {"order_id", "user_id", "product_id"}


def test_every_event_type_is_there_once() -> None:
    assert [name for name, *_ in ROWS] == list(EventType)


def _facts(**known: Any) -> EventFacts:
    nothing: dict[str, Any] = {field.name: None for field in fields(EventFacts)}
    ids = {"event_id": UUID(int=1), "entity_id": UUID(int=2), "entity_type": "any", "payload": {}}
    return EventFacts(**nothing | ids | known)


@pytest.mark.parametrize(("name", "told"), [pytest.param(row[0], row[-1], id=row[0]) for row in ROWS])
def test_an_event_is_told_as_the_page_says(name: str, told: str) -> None:
    payloads: list[dict[str, object]] = [{}, {"reminder": 1}, {"code": "reminders_exhausted"}]
    payloads += [{"new_status": status} for status in ("COMPLETED", "ERROR", "BANK_OPENED")]
    verdicts = [
        judge(_facts(event_type=name, actor_type=by, sender_type=by, payload=payload, review_status=review))
        for by, payload, review in product(ActorType, payloads, ("APPROVED", "REJECTED"))
    ]
    templates = {str(verdict.template) for verdict in verdicts if isinstance(verdict, Announcement)}
    assert templates == set(re.findall(r"`([A-Z_]+)`", told))
