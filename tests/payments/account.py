"""A Stripe account as its API would show it, in memory, and the parts that reconcile with it, wired to it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from sqlalchemy import text

from db.queries import inbox
from providers.payments import Checkout, Dispute, Page, Payment, PaymentEvent, Refund, Window
from services.payments.asking import Cashier
from services.payments.daily import DailyCheck
from services.payments.events import StripeInbox
from services.payments.sweep_orders import OrderChecks
from services.payments.sweeping import EventSweep
from services.payments.walking import Walker
from tests.databases import platform
from tests.notifications.one_database import empty
from tests.notifications.pipeline import Clock
from tests.payments.till import PRICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.orm import Session, sessionmaker

    from providers.errors import ProviderError
    from tests.databases import Database
    from workers.dev.application import Application, Client

T = TypeVar("T")

AFTER = timedelta(minutes=15)


class Killed(BaseException):
    """The process ends here, and nothing of it cleans up."""


@dataclass
class Account:
    """Answers as Stripe does, and remembers what it was asked.

    Attributes:
        clock: Dates what happens.
        page_size: Of its lists.
        checkouts: By session.
        loose: Payments without a session, by id.
        disputes: By id.
        happened: The events, the newest last, and whether each could be delivered.
        returned: The refunds, the newest last.
        calls: What it was asked, in order.
        refuses: What it answers instead, if anything.
        kills_at: The number of the call at which whoever asks is killed.
    """

    clock: Clock
    page_size: int = 3
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    loose: dict[str, Payment] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    happened: list[tuple[PaymentEvent, bool]] = field(default_factory=list)
    returned: list[tuple[Refund, Any]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refuses: ProviderError | None = None
    kills_at: int | None = None
    _lock: Lock = field(default_factory=Lock)

    def open(self, client: Client, **values: Any) -> Checkout:
        """A session of the client's order."""
        now = self.clock.now
        checkout = Checkout(
            session_id=f"cs_test_{uuid4().hex}",
            status="open",
            payment_status="unpaid",
            amount=PRICE,
            currency="usd",
            created_at=now,
            expires_at=now + timedelta(days=1),
            metadata={"order_id": str(client.order_id), "user_id": str(client.user_id)},
        )
        return self._keep(replace(checkout, **values))

    def pay(self, checkout: Checkout, **values: Any) -> Checkout:
        """The session is paid; ``values`` are the payment's."""
        payment = Payment(
            payment_id=checkout.session_id.replace("cs_test_", "pi_"),
            status="succeeded",
            amount=checkout.amount or 0,
            received=checkout.amount or 0,
            currency=checkout.currency or "usd",
            created_at=self.clock.now,
        )
        done = replace(checkout, status="complete", payment_status="paid", payment=replace(payment, **values))
        return self._keep(done)

    def expire(self, checkout: Checkout) -> Checkout:
        return self._keep(replace(checkout, status="expired"))

    def give_back(self, checkout: Checkout, amount: int = PRICE) -> Checkout:
        """So much more of it is given back."""
        assert checkout.payment is not None
        back = Refund(f"re_{uuid4().hex}", "succeeded", amount, "usd", checkout.payment.payment_id)
        self.returned.append((back, self.clock.now))
        refunded = replace(checkout.payment, refunded=checkout.payment.refunded + amount)
        return self._keep(replace(checkout, payment=refunded))

    def tell(self, kind: str, about: str, *, delivered: bool = True, **fields: Any) -> PaymentEvent:
        """Something happened to an object."""
        event_id = f"evt_{uuid4().hex}"
        body = {"id": event_id, "type": kind, "data": {"object": {"id": about, **fields}}}
        event = PaymentEvent(event_id, self.clock.now, body)
        self.happened.append((event, delivered))
        return event

    def tell_paid(self, checkout: Checkout, **more: Any) -> tuple[PaymentEvent, PaymentEvent]:
        """What Stripe tells of a payment."""
        assert checkout.payment is not None
        payment_id = checkout.payment.payment_id
        return (
            self.tell("payment_intent.succeeded", payment_id, **more),
            self.tell("checkout.session.completed", checkout.session_id, payment_intent=payment_id, **more),
        )

    def checkout(self, session_id: str) -> Checkout | None:
        self._asked("checkout", session_id)
        return self.checkouts.get(session_id)

    def checkout_of(self, payment_id: str) -> Checkout | None:
        self._asked("checkout_of", payment_id)
        paid = (each for each in self.checkouts.values() if each.payment is not None)
        return next((each for each in paid if each.payment and each.payment.payment_id == payment_id), None)

    def payment(self, payment_id: str) -> Payment | None:
        self._asked("payment", payment_id)
        return {each.payment_id: each for each in self._payments()}.get(payment_id)

    def dispute(self, dispute_id: str) -> Dispute | None:
        self._asked("dispute", dispute_id)
        return self.disputes.get(dispute_id)

    def events(
        self, window: Window, types: Sequence[str], after: str | None, *, undelivered: bool = False
    ) -> Page[PaymentEvent]:
        self._asked("undelivered" if undelivered else "events", after or "")
        found = [
            event
            for event, delivered in reversed(self.happened)
            if window.since <= event.created_at <= window.until
            and event.body["type"] in types
            and not (undelivered and delivered)
        ]
        return self._page(found, after, lambda event: event.event_id)

    def payments(self, window: Window, after: str | None) -> Page[Payment]:
        self._asked("payments", after or "")
        found = [each for each in self._payments() if window.since <= each.created_at <= window.until]
        newest_first = sorted(found, key=lambda each: (each.created_at, each.payment_id), reverse=True)
        return self._page(newest_first, after, lambda each: each.payment_id)

    def refunds(self, window: Window, after: str | None) -> Page[Refund]:
        self._asked("refunds", after or "")
        found = [back for back, at in reversed(self.returned) if window.since <= at <= window.until]
        return self._page(found, after, lambda each: each.refund_id)

    def asked(self, what: str) -> int:
        """How often it was asked that."""
        return sum(name == what for name, _ in self.calls)

    def _keep(self, checkout: Checkout) -> Checkout:
        self.checkouts[checkout.session_id] = checkout
        return checkout

    def _payments(self) -> list[Payment]:
        made = [each.payment for each in self.checkouts.values() if each.payment is not None]
        return [*made, *self.loose.values()]

    def _page(self, found: Sequence[T], after: str | None, key: Callable[[T], str]) -> Page[T]:
        begin = 0 if after is None else [key(each) for each in found].index(after) + 1
        items = found[begin : begin + self.page_size]
        more = begin + self.page_size < len(found)
        return Page(items, key(items[-1]) if more else None)

    def _asked(self, what: str, about: str) -> None:
        with self._lock:
            self.calls.append((what, about))
            number = len(self.calls)
        if self.kills_at == number:
            raise Killed
        if self.refuses is not None:
            raise self.refuses


@dataclass
class Books:
    """The fleet's parts beside the account.

    Attributes:
        sessions: As the fleet's role.
        application: As the owner.
        app: The application.
        clock: Everybody's.
        account: Stripe.
        owner_url: The database, as its owner.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    app: Application
    clock: Clock
    account: Account
    owner_url: str

    def cashier(self, *, dry_run: bool = False) -> Cashier:
        return Cashier(self.sessions, self.account, self.clock, dry_run)

    def inbox(self) -> StripeInbox:
        return StripeInbox(self.sessions, self.cashier(), self.clock, lambda: 0.5)

    def sweep(self, *, dry_run: bool = False) -> EventSweep:
        return EventSweep(Walker(self.sessions, self.clock, dry_run), self.account)

    def checks(self, *, dry_run: bool = False) -> OrderChecks:
        return OrderChecks(self.sessions, self.cashier(dry_run=dry_run), self.clock, AFTER)

    def daily(self, *, dry_run: bool = False) -> DailyCheck:
        return DailyCheck(Walker(self.sessions, self.clock, dry_run), self.cashier(dry_run=dry_run))

    def client(self, **values: Any) -> tuple[Client, Checkout]:
        """A client whose order bears an open session."""
        client = self.app.register(f"camille.{uuid4().hex}@example.com", "Camille Exemple")
        checkout = self.account.open(client, **values)
        self.change(
            "update orders set stripe_checkout_session_id = :session where id = :id",
            session=checkout.session_id,
            id=client.order_id,
        )
        return client, checkout

    def push(self, *events: PaymentEvent) -> None:
        """As the ingress stores what was posted."""
        rows = [{"callback_id": event.event_id, "body": dict(event.body)} for event in events]
        with self.sessions.begin() as session:
            inbox.store(session, "stripe", json.dumps(rows))

    def rows(self, statement: str, **values: Any) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def scalar(self, statement: str, **values: Any) -> Any:
        with self.application() as session:
            return session.scalar(text(statement), values)

    def change(self, statement: str, **values: Any) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def status(self, client: Client) -> Any:
        return self.scalar("select status::text from orders where id = :id", id=client.order_id)

    def handled(self) -> dict[str, str | None]:
        """Of all events in the inbox, as what they were handled."""
        found = self.rows("select callback_id, handled_as from fleet.inbox where provider = 'stripe'")
        return {row.callback_id: row.handled_as for row in found}

    def findings(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in self.rows("select kind, subject from fleet.findings order by 1, 2")]


@contextmanager
def opened_books(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> Iterator[Books]:
    """On an emptied database, with a clock that is ahead of the database's."""
    empty(database)
    clock = Clock()
    clock.forward(600)
    with platform(database.owner_url) as app:
        yield Books(sessions, application, app, clock, Account(clock), database.owner_url)
