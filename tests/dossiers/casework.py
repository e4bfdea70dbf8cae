"""Dossiers in the hands of the application, and the fleet's parts that work on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import text

from services.dossiers.advancing import Advancing
from services.notifications.fanout import FanOut
from tests.notifications.pipeline import JITTER, POLICY, RENDERER, never

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client


@dataclass
class Casework:
    """The real parts on one database, with the test's clock.

    Attributes:
        sessions: As the fleet's role: the parts themselves.
        application: As the owner: what is looked up or changed by hand.
        app: The application.
        clock: Their time.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    app: Application
    clock: Clock

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def scalar(self, statement: str, **values: object) -> Any:
        with self.application() as session:
            return session.scalar(text(statement), values)

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def advancing(self, *manual_products: str) -> Advancing:
        return Advancing(self.sessions, self.clock, frozenset(manual_products), POLICY, lambda: JITTER)

    def advance(self) -> int:
        """One run of the drain."""
        return self.advancing().run(never)

    def tell(self) -> list[str]:
        """Fan out all events, and give the templates of what was told, in the alphabet's order."""
        FanOut(self.sessions, RENDERER, "fr", frozenset(), POLICY, self.clock, lambda: JITTER, "FR").run(
            never
        )
        return [row.template_code for row in self.rows("select template_code from notifications order by 1")]

    def client(self, at: str = "DOCUMENT_COLLECTION") -> Client:
        """A client whose dossier has come to a step; what it took is out of the way."""
        client = self.app.pay(self.app.register(f"{uuid4().hex[:12]}@example.com", "Camille Exemple"))
        self.put_at(client, at)
        self.change("delete from fleet.outbox")
        self.change("delete from public.events")
        return client

    def put_at(self, client: Client, code: str) -> None:
        """Have all steps before one completed, and that one started and current."""
        self.change(
            "update step_instances i set"
            " started_at = case when place.position <= here.position then now() - interval '1 day' end,"
            " completed_at = case when place.position < here.position then now() - interval '1 hour' end"
            " from dossiers d, product_steps place, product_steps here, steps s"
            " where d.id = i.dossier_id and d.id = :dossier and place.product_id = d.product_id"
            " and place.step_id = i.step_id and here.product_id = d.product_id and here.step_id = s.id"
            " and s.code = :code",
            dossier=client.dossier_id,
            code=code,
        )
        self.change(
            "update dossiers set current_step_instance_id = :instance where id = :dossier",
            instance=self.instance(client, code),
            dossier=client.dossier_id,
        )

    def instance(self, client: Client, code: str) -> UUID:
        """A step of the client's dossier."""
        found: UUID = self.scalar(
            "select i.id from step_instances i join steps s on s.id = i.step_id"
            " where i.dossier_id = :dossier and s.code = :code",
            dossier=client.dossier_id,
            code=code,
        )
        return found

    def require(self, document_type: str, step: str) -> None:
        """Have a step require another type of document, for this test alone."""
        self.change(
            "insert into document_types (code, label, required_step_id)"
            " select 'TEST_' || :code, :code, id from steps where code = :step",
            code=document_type,
            step=step,
        )

    def forget_requirements(self) -> None:
        self.change(
            "delete from documents where document_type_id in (select id from document_types"
            " where code like 'TEST\\_%')"
        )
        self.change("delete from document_types where code like 'TEST\\_%'")

    def approve(self, client: Client, *document_types: str) -> None:
        """The client hands in documents and an adviser approves them."""
        for document_type in document_types:
            self.app.review(self.app.upload(client, document_type), "APPROVED")

    def steps(self, client: Client) -> dict[str, str]:
        """How far each step is, by its code."""
        rows = self.rows(
            "select s.code, case when i.completed_at is not null then 'completed'"
            "   when i.started_at is not null then 'started' else 'open' end ||"
            "   case when i.id = d.current_step_instance_id then ', current' else '' end as state"
            " from step_instances i join steps s on s.id = i.step_id join dossiers d on d.id = i.dossier_id"
            " where d.id = :dossier order by s.position",
            dossier=client.dossier_id,
        )
        return {row.code: row.state for row in rows}

    def happened(self, client: Client, *types: str) -> list[tuple[str, str]]:
        """What SYSTEM has written of the dossier's steps, by type and step, in the alphabet's order."""
        rows = self.rows(
            "select e.event_type::text, s.code from events e join step_instances i on i.id = e.entity_id"
            " join steps s on s.id = i.step_id"
            " where i.dossier_id = :dossier and e.entity_type = 'step_instance' and e.actor_type = 'SYSTEM'"
            " order by s.position, 1 desc",
            dossier=client.dossier_id,
        )
        return [(row.event_type, row.code) for row in rows if not types or row.event_type in types]

    def queued(self) -> int:
        number: int = self.scalar("select count(*) from fleet.advances")
        return number
