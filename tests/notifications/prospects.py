"""People who have a payment link and no account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import text

from services.payments.links import PaymentLinks

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock

PATH = "/onboarding/{token}"
REMINDER_DAYS = 3
PROSPECT = "camille@example.com"

_LINK = text("""
    insert into payment_links (token, product_id, prospect_email, prospect_name, created_at, expires_at)
    select :token, id, :email, :name, :created_at, :expires_at from products where code = 'LLC_FORMATION'
    returning id
""")
_ORDER = text("""
    insert into orders (user_id, product_id, payment_link_id, amount)
    select :user_id, product_id, id, 99900 from payment_links where id = :link_id
""")


@dataclass(frozen=True)
class Prospects:
    """The platform's side of payment links, and the fleet's.

    Attributes:
        sessions: As the fleet's role.
        application: As the owner.
        clock: The time.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    clock: Clock

    @property
    def links(self) -> PaymentLinks:
        return PaymentLinks(self.sessions, self.clock, PATH, REMINDER_DAYS)

    def without_mail(self) -> PaymentLinks:
        return replace(self.links, mail=False)

    def link(
        self,
        email: str = PROSPECT,
        name: str | None = "Camille Exemple",
        *,
        days: float | None = 30,
        made: datetime | None = None,
    ) -> UUID:
        """An adviser makes a link that runs out after so many days, or never."""
        created_at = made or self.clock.now
        values = {"token": uuid4().hex, "email": email, "name": name, "created_at": created_at}
        values["expires_at"] = None if days is None else self.clock.now + timedelta(days=days)
        with self.application.begin() as session:
            link_id: UUID = session.execute(_LINK, values).scalar_one()
        return link_id

    def order(self, link_id: UUID, user_id: UUID) -> None:
        """A prospect has registered by a link, and the platform has not marked it."""
        with self.application.begin() as session:
            session.execute(_ORDER, {"link_id": link_id, "user_id": user_id})

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def row(self, link_id: UUID) -> Any:
        with self.application() as session:
            return session.execute(text("select * from payment_links where id = :id"), {"id": link_id}).one()

    def letters(self, link_id: UUID | None = None) -> list[Any]:
        """All letters, or one link's, the first first."""
        statement = text(
            "select * from fleet.letters where cast(:id as uuid) is null or payment_link_id = :id"
            " order by created_at, template_code"
        )
        with self.application() as session:
            return list(session.execute(statement, {"id": link_id}))

    def letter(self, link_id: UUID) -> Any:
        """A link's only letter."""
        (found,) = self.letters(link_id)
        return found
