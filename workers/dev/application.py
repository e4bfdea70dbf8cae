"""What the platform's application does, in its own way: plain SQL, one statement at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from db.engine import dsn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client with an order, and a dossier once it is paid."""

    user_id: UUID
    email: str
    order_id: UUID
    dossier_id: UUID | None = None
    phone: str | None = None


class Application:
    """Plays the application on a database. A context manager.

    Args:
        database_url: The platform's database.
        connection: One to work on, which commits by itself; without it, one of its own.
    """

    def __init__(self, database_url: str, connection: psycopg.Connection[Any] | None = None) -> None:
        self._connection = connection or psycopg.connect(dsn(database_url), autocommit=True)
        self._agent: UUID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def register(
        self, email: str, name: str, *, phone: str | None = None, product: str = "LLC_FORMATION"
    ) -> Client:
        """A prospect registers: account, profile PENDING, order PENDING."""
        user_id = self._one("insert into auth.users (id, email) values (%s, %s) returning id", uuid4(), email)
        self._do("insert into profiles (id, full_name, phone) values (%s, %s, %s)", user_id, name, phone)
        order_id = self._one(
            "insert into orders (user_id, product_id, amount, currency)"
            " select %s, id, price_amount, currency from products where code = %s returning id",
            user_id,
            product,
        )
        return Client(user_id, email, order_id, phone=phone)

    def pay(self, client: Client) -> Client:
        """The client pays: order PAID, profile ACTIVE, dossier with its steps, and the events of it."""
        self._do("update orders set status = 'PAID', paid_at = now() where id = %s", client.order_id)
        self._do("update profiles set status = 'ACTIVE' where id = %s", client.user_id)
        dossier_id = self._one(
            "insert into dossiers (user_id, product_id, type, status, metadata)"
            " select o.user_id, p.id, p.dossier_type, p.initial_status,"
            "   jsonb_build_object('order_id', o.id, 'created_via', 'payment_link')"
            " from orders o join products p on p.id = o.product_id where o.id = %s returning id",
            client.order_id,
        )
        self._do(
            "insert into step_instances (dossier_id, step_id, started_at)"
            " select d.id, ps.step_id, case when ps.position = 0 then now() end"
            " from dossiers d join product_steps ps on ps.product_id = d.product_id where d.id = %s",
            dossier_id,
        )
        self._do("update orders set dossier_id = %s where id = %s", dossier_id, client.order_id)
        self.event("DOSSIER_CREATED", "dossier", dossier_id)
        self.event("PAYMENT_RECEIVED", "order", client.order_id)
        return replace(client, dossier_id=dossier_id)

    def upload(self, client: Client, document_type: str) -> UUID:
        """The client uploads a document; the platform's trigger writes the event."""
        document_id = self._one(
            "insert into documents (dossier_id, document_type_id)"
            " select %s, id from document_types where code = %s returning id",
            client.dossier_id,
            document_type,
        )
        version_id = self._one(
            "insert into document_versions"
            " (document_id, file_url, file_name, uploaded_by_type, uploaded_by_id)"
            " values (%s, 'https://files.example.com/scan.pdf', 'scan.pdf', 'USER', %s) returning id",
            document_id,
            client.user_id,
        )
        self._do("update documents set current_version_id = %s where id = %s", version_id, document_id)
        return document_id

    def review(self, document_id: UUID, status: str, reason: str | None = None) -> UUID:
        """An adviser approves or rejects a document; the event's id comes back."""
        version_id = self._one("select current_version_id from documents where id = %s", document_id)
        self._do(
            "insert into document_reviews (document_version_id, reviewer_id, status, reason)"
            " values (%s, %s, %s, %s)",
            version_id,
            self._reviewer(),
            status,
            reason,
        )
        self._do("update documents set status = %s where id = %s", status, document_id)
        payload = {"version_id": str(version_id), "reviewer_id": str(self._reviewer()), "status": status}
        return self.event("DOCUMENT_REVIEWED", "document", document_id, payload, actor="AGENT")

    def complete_step(self, client: Client, code: str) -> UUID:
        """A step of the client's dossier is completed."""
        instance_id = self._one(
            "update step_instances si set started_at = coalesce(started_at, now()), completed_at = now()"
            " from steps s where s.id = si.step_id and si.dossier_id = %s and s.code = %s returning si.id",
            client.dossier_id,
            code,
        )
        return self.event("STEP_COMPLETED", "step_instance", instance_id)

    def change_status(self, client: Client, status: str) -> None:
        """The dossier's status changes; the platform's trigger writes the event."""
        self._do("update dossiers set status = %s where id = %s", status, client.dossier_id)

    def write_message(self, client: Client, content: str) -> UUID:
        """An adviser writes to the client."""
        message_id = self._one(
            "insert into messages (dossier_id, sender_type, sender_id, content)"
            " values (%s, 'AGENT', %s, %s) returning id",
            client.dossier_id,
            self._reviewer(),
            content,
        )
        return self.event("MESSAGE_SENT", "message", message_id, actor="AGENT")

    def event(
        self,
        event_type: str,
        entity_type: str,
        entity_id: UUID,
        payload: Mapping[str, object] | None = None,
        *,
        actor: str = "SYSTEM",
    ) -> UUID:
        """Insert one event."""
        return self._one(
            "insert into events (entity_type, entity_id, event_type, actor_type, payload)"
            " values (%s, %s, %s, %s, %s) returning id",
            entity_type,
            entity_id,
            event_type,
            actor,
            json.dumps(payload or {}),
        )

    def notify(self, client: Client, title: str, message: str, *, event_id: UUID | None = None) -> UUID:
        """Insert a notification without deliveries."""
        return self._one(
            "insert into notifications (user_id, dossier_id, event_id, title, message, action_url)"
            " values (%s, %s, %s, %s, %s, '/dashboard') returning id",
            client.user_id,
            client.dossier_id,
            event_id,
            title,
            message,
        )

    def deliver(self, notification_id: UUID, channel: str, recipient: str) -> UUID:
        """Insert a delivery of a notification."""
        return self._one(
            "insert into notification_deliveries (notification_id, channel, recipient) values (%s, %s, %s)"
            " returning id",
            notification_id,
            channel,
            recipient,
        )

    def _reviewer(self) -> UUID:
        if self._agent is None:
            self._agent = self._one(
                "insert into agents (email, name) values (%s, 'Dominique Exemple')"
                " on conflict (email) do update set name = excluded.name returning id",
                "conseil@example.com",
            )
        return self._agent

    def _one(self, statement: str, *values: object) -> UUID:
        first: UUID = self._row(statement, *values)[0]
        return first

    def _row(self, statement: str, *values: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(statement.encode(), values).fetchone()
        if row is None:
            raise LookupError(f"nothing came back from: {statement[:60]}")
        return row

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement.encode(), values).fetchall()

    def _do(self, statement: str, *values: object) -> None:
        self._connection.execute(statement.encode(), values)
