"""Who may do what with which table of a hardened database with Supabase's default grants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.security.matrix import Actor, measure
from tests.security.supabase import acting
from workers.dev.application import Application

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.security.supabase import Supabase
    from workers.dev.application import Client

# The rows are a client's own; r reads, i inserts, u updates, d deletes, t truncates.
MATRIX = """\
| | client | other client | anonymous | fleet | owner |
| --- | --- | --- | --- | --- | --- |
| profiles | ru | - | - | r | riudt |
| agents | - | - | - | - | riudt |
| products | r | r | r | r | riudt |
| steps | r | r | r | r | riudt |
| product_steps | r | r | r | r | riudt |
| step_fields | r | r | - | - | riudt |
| document_types | r | r | - | r | riudt |
| dossiers | r | - | - | riu | riudt |
| dossier_status_history | r | - | - | i | riudt |
| step_instances | r | - | - | riu | riudt |
| step_field_values | riu | - | - | - | riudt |
| messages | ri | - | - | r | riudt |
| documents | ri | - | - | r | riudt |
| document_versions | ri | - | - | r | riudt |
| document_reviews | r | - | - | r | riudt |
| payment_links | - | - | - | riu | riudt |
| orders | r | - | - | r | riudt |
| payment_reminders | r | - | - | riu | riudt |
| events | r | - | - | ri | ri |
| notifications | ru | - | - | ri | riudt |
| notification_deliveries | r | - | - | riu | riudt |
| profiles.status | - | - | - | u | iu |
| profiles.stripe_customer_id | - | - | - | u | iu |
| step_field_values.created_by_type | - | - | - | - | iu |
| messages.sender_type | - | - | - | - | iu |
| documents.status | - | - | - | - | iu |
| document_versions.uploaded_by_type | - | - | - | - | iu |
| notifications.title | - | - | - | iu | iu |
| auth.users: id, email | - | - | - | r | r |
| fleet: queues and records | - | - | - | riud | riudt |
| fleet: marks | - | - | - | r | riudt |
| fleet: hardened | - | - | - | - | riudt |
"""

_PAGE = Path(__file__).parents[2] / "docs/security.md"


def the_rows_of(connection: Connection, client: Client) -> dict[str, UUID]:
    """One row of each table, the client's own where the table knows of clients."""

    def one(statement: str) -> UUID:
        ids = {"user": client.user_id, "dossier": client.dossier_id, "order": client.order_id}
        return UUID(str(connection.execute(text(statement), ids).scalar_one()))

    of_dossier = {
        table: one(f"select id from {table} where dossier_id = :dossier limit 1")
        for table in ("step_instances", "dossier_status_history")
    }
    return of_dossier | {
        "profiles": client.user_id,
        "agents": one("select id from agents limit 1"),
        "products": one("select product_id from orders where id = :order"),
        "steps": one("select id from steps limit 1"),
        "product_steps": one("select id from product_steps limit 1"),
        "step_fields": one(
            "insert into step_fields (step_id, field_key, label, field_type, position)"
            " select step_id, 'company', 'Société', 'text', 0 from step_instances limit 1 returning id"
        ),
        "document_types": one("select id from document_types limit 1"),
        "dossiers": one("select cast(:dossier as uuid)"),
        "step_field_values": one(
            "insert into step_field_values (step_instance_id, step_field_id, created_by_type, created_by_id)"
            " select si.id, f.id, 'USER', :user from step_instances si, step_fields f"
            " where si.dossier_id = :dossier limit 1 returning id"
        ),
        "messages": one(
            "insert into messages (dossier_id, sender_type, sender_id, content)"
            " values (:dossier, 'USER', :user, 'Bonjour') returning id"
        ),
        "documents": one(
            "insert into documents (dossier_id, document_type_id)"
            " select :dossier, id from document_types limit 1 returning id"
        ),
        "document_versions": one("select id from document_versions limit 1"),
        "document_reviews": one("select id from document_reviews limit 1"),
        "payment_links": one(
            "insert into payment_links (token, product_id, prospect_email)"
            " select generate_payment_link_token(), product_id, 'camille@example.com' from orders limit 1"
            " returning id"
        ),
        "orders": client.order_id,
        "payment_reminders": one(
            "insert into payment_reminders (user_id, order_id, sent_via) values (:user, :order, 'EMAIL')"
            " returning id"
        ),
        "events": one("select id from events where entity_id = :dossier limit 1"),
        "notifications": one("select id from notifications limit 1"),
        "notification_deliveries": one("select id from notification_deliveries limit 1"),
    }


@pytest.fixture
def matrix(hardened: Supabase) -> str:
    with Application(hardened.owner_url) as app:
        client = app.pay(app.register("camille@example.com", "Camille Exemple"))
        other = app.register("dominique@example.com", "Dominique Autre")
        app.review(app.upload(client, "PASSPORT"), "APPROVED")
        app.change_status(client, "IN_PROGRESS")
        app.deliver(app.notify(client, "Bonjour", "Bienvenue."), "EMAIL", client.email)
    hardened.make_worker()
    with acting(hardened.admin_url) as connection:
        rows = the_rows_of(connection, client)
        actors = [
            Actor("client", "authenticated", client.user_id),
            Actor("other client", "authenticated", other.user_id),
            Actor("anonymous", "anon"),
            Actor("fleet", hardened.worker),
            Actor("owner", hardened.owner),
        ]
        return measure(connection, actors, rows)


def test_each_may_do_what_the_table_says_and_nothing_else(matrix: str) -> None:
    assert matrix == MATRIX


def test_the_page_shows_this_table() -> None:
    assert MATRIX in _PAGE.read_text(encoding="utf-8"), "copy MATRIX to docs/security.md"
