"""What a client inserts is its own doing and still to be judged, and it can't say otherwise."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg.errors
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.security.supabase import acting, become
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.security.supabase import Supabase

DOCUMENT = "insert into documents (dossier_id, document_type_id, {}) values (:dossier, :type, {})"
VERSION = (
    "insert into document_versions (document_id, file_url, uploaded_by_type, uploaded_by_id, version_number)"
    " values (:document, 'https://files.example.com/2', {}, {}, {})"
)
VALUE = (
    "insert into step_field_values (step_instance_id, step_field_id, value, created_by_type, created_by_id)"
    " values (:step, :other_field, 'Exemple LLC', {}, {})"
)
MESSAGE = (
    "insert into messages (dossier_id, sender_type, sender_id, content) values (:dossier, {}, {}, 'Bonjour')"
)
SIGN = "update step_field_values set created_by_type = {}, created_by_id = {} where id = :value"

# What version 2 lets a client do, and hardening does not.
FORGED = {
    "a document approved from the start": DOCUMENT.format("status", "'APPROVED'"),
    "a document rejected from the start": DOCUMENT.format("status", "'REJECTED'"),
    "the version of another client's": DOCUMENT.format("current_version_id", ":other_version"),
    "a document for another client's step": DOCUMENT.format("step_instance_id", ":other_step"),
    "an adviser's upload": VERSION.format("'AGENT'", ":agent", "2"),
    "the system's upload": VERSION.format("'SYSTEM'", ":me", "2"),
    "another client's upload": VERSION.format("'USER'", ":other", "2"),
    "an adviser's answer": SIGN.format("'AGENT'", ":agent"),
    "another client's answer": SIGN.format("'USER'", ":other"),
    "the system's answer": SIGN.format("'SYSTEM'", "created_by_id"),
}

# What version 2 refuses by itself.
NEVER = {
    "an adviser's message": MESSAGE.format("'AGENT'", ":agent"),
    "another client's message": MESSAGE.format("'USER'", ":other"),
    "an answer in an adviser's name": VALUE.format("'AGENT'", ":agent"),
    "an answer in another client's name": VALUE.format("'USER'", ":other"),
    "a document in another client's dossier": DOCUMENT.format("status", "'PENDING'").replace(
        ":dossier", ":other_dossier"
    ),
    "a version of another client's document": VERSION.format("'USER'", ":me", "2").replace(
        ":document", ":other_document"
    ),
    "a review": "insert into document_reviews (document_version_id, reviewer_id, status)"
    " values (:version, :agent, 'APPROVED')",
    "an approval": "update documents set status = 'APPROVED' where id = :document",
    "a current version": "update documents set current_version_id = :version where id = :document",
    "a version's number": "update document_versions set version_number = 9 where id = :version",
    "a completed step": "update step_instances set completed_at = now() where id = :step",
    "a dossier": "update dossiers set status = 'COMPLETED' where id = :dossier",
    "a paid order": "update orders set status = 'PAID' where user_id = :me",
    "an order": "insert into orders (user_id, product_id, amount, status)"
    " select :me, id, 1, 'PAID' from products limit 1",
    "an event": "insert into events (entity_type, entity_id, event_type)"
    " values ('dossier', :dossier, 'ERROR')",
    "a status in the history": "insert into dossier_status_history (dossier_id, new_status)"
    " values (:dossier, 'COMPLETED')",
}

# What the application does with a client's rights.
HONEST = {
    "a document": "insert into documents (dossier_id, document_type_id) values (:dossier, :type)",
    "a document of a step": DOCUMENT.format("step_instance_id, status", ":step, 'PENDING'"),
    "a document whose columns are all given": DOCUMENT.format(
        "id, status, step_instance_id, current_version_id, created_at",
        "gen_random_uuid(), 'PENDING', null, null, now()",
    ),
    "a new version of a rejected document": VERSION.format("'USER'", ":me", "2"),
    "an answer": VALUE.format("'USER'", ":me"),
    "a changed answer": "update step_field_values set value = 'Autre LLC' where id = :value",
    "an answer given again": VALUE.format("'USER'", ":me")
    + " on conflict (step_instance_id, step_field_id) do update"
    " set value = excluded.value, created_by_type = excluded.created_by_type,"
    " created_by_id = excluded.created_by_id",
    "an answer instead of an adviser's": SIGN.format("'USER'", ":me").replace(":value", ":filled"),
    "a change of what an adviser filled in": "update step_field_values set value = 'Autre'"
    " where id = :filled",
    "a message": MESSAGE.format("'USER'", ":me"),
}


@dataclass(frozen=True)
class Scene:
    """Two clients with a rejected document each, and the names of their rows; nothing that is tried stays."""

    connection: Connection
    rows: dict[str, UUID]

    @contextmanager
    def tried(self, role: str, statement: str) -> Iterator[int]:
        """The number of rows that the statement has written."""
        with self.connection.begin_nested() as savepoint:
            become(self.connection, role, self.rows["me"])
            written: Any = self.connection.execute(text(statement), self.rows)
            yield written.rowcount
            savepoint.rollback()

    def refused(self, statement: str) -> bool:
        try:
            with self.tried("authenticated", statement) as written:
                return not written
        except DBAPIError as error:
            return isinstance(error.orig, psycopg.errors.InsufficientPrivilege)


def set_up(database: Supabase) -> Iterator[Scene]:
    rows: dict[str, UUID] = {}
    with Application(database.owner_url) as app:
        for prefix in ("", "other_"):
            client = app.pay(app.register(f"{uuid4()}@example.com", "Camille Exemple"))
            document = app.upload(client, "PASSPORT")
            app.review(document, "REJECTED", "Illisible.")
            assert client.dossier_id
            rows |= {
                f"{prefix}dossier": client.dossier_id,
                f"{prefix}document": document,
                prefix.removesuffix("_") or "me": client.user_id,
            }
    with acting(database.admin_url) as connection:

        def one(statement: str) -> UUID:
            return UUID(str(connection.execute(text(statement), rows).scalar_one()))

        for prefix in ("", "other_"):
            rows[f"{prefix}step"] = one(
                f"select id from step_instances where dossier_id = :{prefix}dossier limit 1"
            )
            rows[f"{prefix}version"] = one(
                f"select current_version_id from documents where id = :{prefix}document"
            )
        rows["type"] = one("select id from document_types limit 1")
        rows["agent"] = one("select id from agents limit 1")
        field = (
            "insert into step_fields (step_id, field_key, label, field_type, position)"
            " select step_id, '{0}', 'Société', 'text', {1} from step_instances where id = :step returning id"
        )
        rows["field"], rows["other_field"] = one(field.format("one", 1)), one(field.format("other", 2))
        rows["filled_field"] = one(field.format("filled", 3))
        answer = (
            "insert into step_field_values (step_instance_id, step_field_id, created_by_type, created_by_id)"
            " values (:step, {}) returning id"
        )
        rows["value"] = one(answer.format(":field, 'USER', :me"))
        rows["filled"] = one(answer.format(":filled_field, 'AGENT', :agent"))
        yield Scene(connection, rows)
        connection.rollback()


@pytest.fixture
def closed(hardened: Supabase) -> Iterator[Scene]:
    yield from set_up(hardened)


@pytest.fixture
def opened(as_made: Supabase) -> Iterator[Scene]:
    yield from set_up(as_made)


def worked(scene: Scene, statements: dict[str, str]) -> list[str]:
    return [what for what, statement in statements.items() if not scene.refused(statement)]


def test_what_a_client_forges_on_version_2_is_refused_once_it_is_hardened(
    opened: Scene, closed: Scene
) -> None:
    # Without hardening, no upload works at all: the platform's trigger fails in the client's name.
    harmless = {"an adviser's upload", "the system's upload", "another client's upload"}
    assert set(worked(opened, FORGED)) == FORGED.keys() - harmless
    assert worked(closed, FORGED) == []
    assert worked(closed, NEVER) == []


def test_the_application_goes_on_with_a_clients_rights(closed: Scene) -> None:
    assert worked(closed, HONEST) == list(HONEST)


@pytest.mark.parametrize("role", ["owner", "service_role"])
def test_the_service_writes_in_any_name(closed: Scene, hardened: Supabase, role: str) -> None:
    name = hardened.owner if role == "owner" else role
    for what, statement in FORGED.items():
        with closed.tried(name, statement) as written:
            assert written == 1, what


def test_who_makes_no_claim_signs_for_nobody(closed: Scene) -> None:
    closed.connection.exec_driver_sql("create policy x on step_field_values using (true)")
    become(closed.connection, "authenticated")
    with pytest.raises(DBAPIError, match="does not change created_by_id of step_field_values"):
        closed.connection.execute(text(SIGN.format("'USER'", ":other")), closed.rows)
