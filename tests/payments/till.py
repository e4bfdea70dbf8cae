"""Orders with what Stripe says of their sessions, made up, and what the tables say of them afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import text

from providers.payments import Checkout, Payment
from services.payments.applying import Applied, Learned, apply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PRICE = 999_00
STEPS = 5


@dataclass(frozen=True)
class Standing:
    """Where an order stands, ids and times left out.

    Attributes:
        order: Its status.
        profile: That of who bought.
        dossiers: How many that person has.
        steps: How many steps these have.
        events: How many of each type.
        refunded: What was given back, of each payment.
        findings: How many of each kind.
        notices: How many.
    """

    order: str
    profile: str
    dossiers: int = 0
    steps: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    refunded: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    notices: int = 0


SETTLED_EVENTS = {"DOSSIER_CREATED": 1, "PAYMENT_RECEIVED": 1}


@dataclass
class Till:
    """Plays Stripe and the application.

    Attributes:
        sessions: As the fleet's role, for what is under test.
        application: As the owner.
        app: The application.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    app: Application

    def register(self, product: str = "LLC_FORMATION") -> Client:
        """A client with an order to pay."""
        return self.app.register(f"camille.{uuid4().hex}@example.com", "Camille Exemple", product=product)

    def another_order(self, client: Client, **columns: Any) -> Client:
        """The same client with another order."""
        order_id = uuid4()
        self.change(
            "insert into orders (id, user_id, product_id, amount, currency)"
            " select :id, user_id, product_id, amount, currency from orders where id = :of",
            id=order_id,
            of=client.order_id,
        )
        other = replace(client, order_id=order_id)
        if columns:
            self.set_order(other, **columns)
        return other

    def set_order(self, client: Client, **columns: Any) -> None:
        """Change an order as the application would."""
        for name, value in columns.items():
            kind = "order_status" if name == "status" else "uuid" if name == "dossier_id" else "text"
            kind = "integer" if isinstance(value, int) else kind
            self.change(
                f"update orders set {name} = cast(:value as {kind}) where id = :id",
                value=value,
                id=client.order_id,
            )

    def take(self, checkout: Checkout, learned: Learned = Learned.WEBHOOK, now: datetime = NOW) -> Applied:
        """Apply what Stripe says."""
        with self.sessions.begin() as session:
            return apply(session, checkout, learned, now)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def change(self, statement: str, **values: Any) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def findings(self, client: Client) -> list[Any]:
        """About the order, the oldest first."""
        return self.rows(
            "select * from fleet.findings where order_id = :id order by found_at, kind", id=client.order_id
        )

    def order(self, client: Client) -> Any:
        (row,) = self.rows("select * from orders where id = :id", id=client.order_id)
        return row

    def standing(self, client: Client) -> Standing:
        values = {"order": client.order_id, "user": client.user_id}
        (row,) = self.rows(
            "select o.status::text as order, p.status::text as profile,"
            " (select count(*) from dossiers where user_id = p.id) as dossiers,"
            " (select count(*) from step_instances si join dossiers d on d.id = si.dossier_id"
            "  where d.user_id = p.id) as steps,"
            " (select count(*) from fleet.notices where order_id = o.id) as notices"
            " from orders o join profiles p on p.id = o.user_id where o.id = :order",
            **values,
        )
        events = self.rows(
            "select event_type::text from events where entity_id = :order"
            " or entity_id in (select id from dossiers where user_id = :user)",
            **values,
        )
        refunds = self.rows(
            "select payment_intent_id, refunded from fleet.payments where order_id = :order and refunded > 0",
            **values,
        )
        return Standing(
            **row._mapping,
            events=Counter(event.event_type for event in events),
            refunded={refund.payment_intent_id: refund.refunded for refund in refunds},
            findings=Counter(finding.kind for finding in self.findings(client)),
        )


def opened(client: Client, **metadata: object) -> Checkout:
    """A new session of the client's order; ``metadata`` replaces its marks, None takes one away."""
    marks = {"order_id": client.order_id, "user_id": client.user_id, **metadata}
    return Checkout(
        session_id=f"cs_test_{uuid4().hex}",
        status="open",
        payment_status="unpaid",
        amount=PRICE,
        currency="usd",
        created_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(hours=23),
        url="https://checkout.example.com/pay",
        metadata={name: str(value) for name, value in marks.items() if value is not None},
    )


def payment(checkout: Checkout, **values: Any) -> Checkout:
    """The session with its payment, the same one for ever."""
    before = checkout.payment or Payment(
        payment_id=checkout.session_id.replace("cs_test_", "pi_"),
        status="requires_payment_method",
        amount=checkout.amount or 0,
        received=0,
        currency=checkout.currency or "usd",
        created_at=NOW - timedelta(minutes=50),
    )
    return replace(checkout, payment=replace(before, **values))


def declined(checkout: Checkout, number: int = 1) -> Checkout:
    """The try of a number has failed."""
    key = checkout.session_id.replace("cs_test_", f"ch_{number}_")
    return payment(checkout, status="requires_payment_method", failure_code="card_declined", failure_key=key)


def paid(checkout: Checkout, **values: Any) -> Checkout:
    """The session paid; ``values`` are the payment's."""
    customer = checkout.session_id.replace("cs_test_", "cus_")
    done = replace(checkout, status="complete", payment_status="paid", url=None, customer_id=customer)
    received = {"received": checkout.amount, "failure_code": None, "failure_key": None}
    return payment(done, status="succeeded", **{**received, **values})


def given_back(checkout: Checkout, amount: int = PRICE) -> Checkout:
    """So much of it given back, all in all."""
    return payment(checkout, refunded=amount)


def expired(checkout: Checkout) -> Checkout:
    """The session has come to its end unpaid."""
    return replace(checkout, status="expired", url=None)
