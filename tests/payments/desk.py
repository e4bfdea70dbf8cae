"""Unpaid orders, the sandbox's Stripe behind the fleet's own adapter, and the reminders wired to both."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import text

from providers.stripe import StripePayments
from providers.transport import PooledTransport
from services.notifications.notices import Notices
from services.payments.asking import Cashier
from services.payments.checkouts import Checkouts
from services.payments.ladder import ReminderPolicy
from services.payments.reminding import Reminders
from tests.databases import platform
from tests.notifications.one_database import empty
from tests.notifications.pipeline import APP_URL, JITTER, POLICY, RENDERER, Clock
from tests.sandbox.conftest import API_KEY, serving
from workers.dev.sandbox.state import SandboxSettings

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from providers.payments import Checkout, NewCheckout
    from tests.databases import Database
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient

__all__ = ["desk", "stripe"]

T = TypeVar("T")

PUBLIC_URL = "https://fleet.example.com"
FLAT = ReminderPolicy()
LADDER = ReminderPolicy(ladder=(1, 4, 7))


class Watched(StripePayments):
    """The adapter on the sandbox, which does something before a call and after it.

    Attributes:
        at: Is called with the name of each call of the reminders', before and after it.
    """

    at: Callable[[str], object] = staticmethod(lambda _: None)

    def checkout(self, session_id: str) -> Checkout | None:
        return self._watched("checkout", partial(super().checkout, session_id))

    def create(self, request: NewCheckout, idempotency_key: str) -> Checkout:
        return self._watched("create", partial(super().create, request, idempotency_key))

    def expire(self, session_id: str) -> Checkout | None:
        return self._watched("expire", partial(super().expire, session_id))

    def _watched(self, name: str, call: Callable[[], T]) -> T:
        self.at(f"before {name}")
        answer = call()
        self.at(f"after {name}")
        return answer


@dataclass
class Stripe:
    """The sandbox and the adapter on it."""

    payments: Watched
    sandbox: SandboxClient


@dataclass
class Desk:
    """Plays the application and its clients, and looks into the tables.

    Attributes:
        sessions: As the fleet's role, for what is under test.
        application: As the owner.
        app: The application.
        clock: The fleet's.
        stripe: Stripe.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    app: Application
    clock: Clock
    stripe: Stripe

    @property
    def sandbox(self) -> SandboxClient:
        return self.stripe.sandbox

    def checkouts(self, sessions: sessionmaker[Session] | None = None) -> Checkouts:
        used = sessions or self.sessions
        cashier = Cashier(used, self.stripe.payments, self.clock)
        return Checkouts(used, cashier, self.stripe.payments, self.clock, APP_URL)

    def reminders(
        self, policy: ReminderPolicy = FLAT, sessions: sessionmaker[Session] | None = None
    ) -> Reminders:
        used = sessions or self.sessions
        return Reminders(used, self.checkouts(used), self.clock, policy, PUBLIC_URL, lambda: JITTER)

    def notices(self) -> Notices:
        return Notices(self.sessions, RENDERER, "fr", POLICY, self.clock, lambda: JITTER, "FR")

    def client(self, *, days: float = 10, product: str = "LLC_FORMATION", opened: bool = True) -> Client:
        """A suspended client, whose order is so old and bears an open session."""
        phone = "+33639980017"
        client = self.app.register(
            f"camille.{uuid4().hex}@example.com", "Camille Exemple", phone=phone, product=product
        )
        self.lapse(client, days)
        if opened:
            session_id = self.open(client)
            self.set_order(client, "stripe_checkout_session_id", session_id)
        return client

    def lapse(self, client: Client, days: float) -> None:
        """The order was made so long ago and never paid."""
        self.change("update profiles set status = 'SUSPENDED' where id = :id", id=client.user_id)
        made = self.clock.now - timedelta(days=days)
        self.change("update orders set created_at = :made where id = :id", made=made, id=client.order_id)

    def open(self, client: Client) -> str:
        """A session of the order, as the application makes it."""
        order = self.checkouts().read(client.order_id)
        assert order is not None
        made = self.checkouts().fresh(order, [uuid4().hex], datetime.now(UTC) + timedelta(hours=20))
        return made.session_id

    def another_order(self, client: Client, days: float) -> Any:
        """The same client with another order, as old as that."""
        order_id = uuid4()
        self.change(
            "insert into orders (id, user_id, product_id, amount, currency, created_at)"
            " select :id, user_id, product_id, amount, currency, :made from orders where id = :of",
            id=order_id,
            of=client.order_id,
            made=self.clock.now - timedelta(days=days),
        )
        return order_id

    def at(self, step: str, act: Callable[[], object], times: int = 1) -> None:
        """Do something at a step of whoever asks Stripe, such as ``before expire``, so many times."""
        left = [act] * times
        self.stripe.payments.at = lambda now: left.pop()() if now == step and left else None

    def set_order(self, client: Client, column: str, value: object) -> None:
        kind = {"status": "order_status", "amount": "integer"}.get(column, "text")
        self.change(
            f"update orders set {column} = cast(:value as {kind}) where id = :id",
            value=value,
            id=client.order_id,
        )

    def order(self, client: Client) -> Any:
        (row,) = self.rows("select * from orders where id = :id", id=client.order_id)
        return row

    def reminded(self, client: Client) -> list[Any]:
        return self.rows(
            "select * from fleet.reminders where order_id = :id order by number", id=client.order_id
        )

    def told(self, client: Client) -> list[Any]:
        return self.rows(
            "select * from fleet.notices where order_id = :id order by notice_key", id=client.order_id
        )

    def open_sessions(self, client: Client) -> list[str]:
        """At the sandbox."""
        found = self.sandbox.stripe_sessions(mark=str(client.order_id))
        return [each.id for each in found if each.status == "open"]

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def scalar(self, statement: str, **values: Any) -> Any:
        with self.application() as session:
            return session.scalar(text(statement), values)

    def change(self, statement: str, **values: Any) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)


@pytest.fixture(scope="module")
def stripe() -> Iterator[Stripe]:
    """One sandbox for a module: sessions are told apart by their orders."""
    with one_stripe() as made:
        yield made


@contextmanager
def one_stripe() -> Iterator[Stripe]:
    leaving: list[threading.Thread] = []
    settings = SandboxSettings(api_key=API_KEY, webhook_delay=0.0)
    transport = PooledTransport(connect_timeout=2, read_timeout=5, connections=16)
    with serving(settings, leaving) as sandbox:
        payments = Watched(settings.stripe_key, sandbox.base_url, transport, lambda: None)
        yield Stripe(payments, sandbox)
    transport.close()
    for thread in leaving:
        thread.join()


@pytest.fixture
def desk(
    database: Database,
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    stripe: Stripe,
) -> Iterator[Desk]:
    """On an emptied database, with a clock that is ahead of the database's."""
    empty(database)
    clock = Clock()
    clock.forward(600)
    stripe.payments.at = lambda _: None
    with platform(database.owner_url) as app:
        yield Desk(sessions, application, app, clock, stripe)
