"""Many orders at the sandbox's Stripe, its webhooks lost, doubled and late; then one reconciliation."""

from __future__ import annotations

import math
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from db.queries import stripe_inbox
from providers.stripe import StripePayments
from providers.transport import PooledTransport
from services.payments.asking import Cashier
from services.payments.daily import DailyCheck
from services.payments.events import StripeInbox
from services.payments.pointers import HANDLED_TYPES
from services.payments.sweep_orders import OrderChecks
from services.payments.sweeping import EventSweep
from services.payments.walking import Walker
from tests.notifications.pipeline import Clock, never, side_by_side
from tests.payments.till import STEPS
from tests.waiting import wait_for
from tests.workers.ingress_server import WEBHOOK_SECRETS, serving
from workers.dev.sandbox.state import USUAL_STRIPE_KEY
from workers.dev.shop import Shop

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient

PAGE = 100
AFTER = timedelta(minutes=15)

PAY, SECOND_TRY, DECLINED, EXPIRED, LATER, LATER_FAILED, BACK, BACK_IN_PART, DISPUTED = range(9)
FATES = (PAY, PAY, PAY, SECOND_TRY, DECLINED, EXPIRED, LATER, LATER_FAILED, BACK, BACK_IN_PART, DISPUTED, PAY)
"""What becomes of every twelfth order."""

ENDS = {
    SECOND_TRY: ("PAID", "ACTIVE"),
    DECLINED: ("PENDING", "SUSPENDED"),
    EXPIRED: ("PENDING", "SUSPENDED"),
    LATER_FAILED: ("PENDING", "SUSPENDED"),
    BACK: ("REFUNDED", "ACTIVE"),
}
PAID = ("PAID", "ACTIVE")


@dataclass(frozen=True)
class Figures:
    """What a storm came to.

    Attributes:
        orders: How many.
        events: How many of those types that are handled.
        lost: Of these, how many webhooks.
        wrong: Orders that were not in their right state before the reconciliation.
        calls: The reconciliation's questions to Stripe.
        least: The fewest that can do: the lists' pages, one question for each order that is wrong or still
            pending, and one for each dispute that nobody told of.
        webhook_calls: The questions that the webhooks led to before.
        seconds: How long the reconciliation took.
        refused: Calls beyond Stripe's limit.
    """

    orders: int
    events: int
    lost: int
    wrong: int
    calls: int
    least: int
    webhook_calls: int
    seconds: float
    refused: int

    def show(self) -> None:
        """Print it."""
        sys.stdout.write(
            f"\n\n{self.orders:,} orders, {self.events:,} events, {self.lost:,} webhooks lost, a third of all"
            f" doubled, a third late\nthe webhooks that came: {self.webhook_calls:,} questions;"
            f" {self.wrong:,} orders still wrong\nthe reconciliation: {self.calls:,} calls,"
            f" the least that can do is {self.least:,}; {self.seconds:.1f} s, {self.refused} refused\n"
        )


@dataclass
class Storm:
    """The parts, and what is done with them.

    Attributes:
        sessions: As the fleet's role.
        application: As the owner.
        shop: The application.
        sandbox: Stripe.
        clock: The fleet's.
        provider: The fleet's adapter.
        sold: The orders with their sessions and fates.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    shop: Shop
    sandbox: SandboxClient
    clock: Clock
    provider: StripePayments
    sold: list[tuple[Client, str, int]] = field(default_factory=list)

    def run(self, count: int) -> Figures:
        """Sell so many, let the storm rage, reconcile, and check everything."""
        third = 1 / 3
        self.sandbox.stripe_webhooks(lose=third, double=third, late=third, seconds=1.0)
        over = Event()

        def drain() -> None:
            while not over.is_set():
                self.inbox.run(never)
                over.wait(0.05)

        with side_by_side(drain):
            try:
                self._live(count)
                wait_for(self._quiet, 60 + count / 5)
            finally:
                over.set()
        return self._reconcile()

    @property
    def cashier(self) -> Cashier:
        return Cashier(self.sessions, self.provider, self.clock)

    @property
    def inbox(self) -> StripeInbox:
        return StripeInbox(self.sessions, self.cashier, self.clock)

    def _live(self, count: int) -> None:
        for number in range(count):
            self.clock.now = datetime.now(UTC)
            client = self.shop.register(f"camille.{number}@example.com", "Camille Exemple")
            session_id = self.shop.checkout(client).session_id
            fate = FATES[number % len(FATES)]
            self.sold.append((client, session_id, fate))
            self._befall(session_id, fate)

    def _befall(self, session_id: str, fate: int) -> None:
        sandbox = self.sandbox
        if fate in {SECOND_TRY, DECLINED}:
            sandbox.decline(session_id)
        if fate == EXPIRED:
            sandbox.expire_session(session_id)
        elif fate in {LATER, LATER_FAILED}:
            sandbox.pay_later(session_id)
            sandbox.finish_async(session_id, succeeded=fate == LATER)
        elif fate != DECLINED:
            paid = sandbox.pay(session_id).payment_intent
            assert paid is not None
            if fate == BACK:
                sandbox.refund(paid)
            elif fate == BACK_IN_PART:
                sandbox.refund(paid, 100)
            elif fate == DISPUTED:
                sandbox.dispute(paid)

    def _quiet(self) -> bool:
        """Whether no webhook is on its way and none waits to be worked off."""
        self.clock.now = datetime.now(UTC)
        under_way = {"waiting", "retrying"}
        if any(event.delivery in under_way for event in self.sandbox.stripe_events()):
            return False
        with self.sessions() as session:
            return stripe_inbox.waiting(session) == 0

    def _reconcile(self) -> Figures:
        events = [event for event in self.sandbox.stripe_events() if event.type in HANDLED_TYPES]
        wrong = self.wrong()
        pending = {session for _, session, fate in self.sold if fate in {DECLINED, EXPIRED, LATER_FAILED}}
        disputes = self._fates(DISPUTED) - self._count("fleet.findings")
        self.clock.now = datetime.now(UTC) + timedelta(minutes=20)
        calls = self._calls()
        begun = datetime.now(UTC)
        walker = Walker(self.sessions, self.clock)
        swept = EventSweep(walker, self.provider).run(never)
        while self._waiting():
            self.inbox.run(never)
            # Whatever was put off by a limit is due at once.
            self.clock.forward(1)
        checked = OrderChecks(self.sessions, self.cashier, self.clock, AFTER).run(never)
        daily = DailyCheck(walker, self.cashier).run(never)
        seconds = (datetime.now(UTC) - begun).total_seconds()
        pages = math.ceil(self._count("fleet.payments") / PAGE) + math.ceil(
            self._fates(BACK, BACK_IN_PART) / PAGE
        )
        assert (swept.stopped, checked.stopped, daily.stopped) == (None, None, None)
        reconciled = self._calls()
        self.check()
        return Figures(
            orders=len(self.sold),
            events=len(events),
            lost=sum(event.delivery == "abandoned" for event in events),
            wrong=len(wrong),
            calls=reconciled - calls,
            least=swept.pages + pages + len(pending | wrong.keys()) + disputes,
            webhook_calls=calls - len(self.sold),
            seconds=seconds,
            refused=self.sandbox.stats().refused.get("429", 0),
        )

    def check(self) -> None:
        """Every order is where Stripe has it, and nothing was done twice."""
        assert self.wrong() == {}
        paid = len(self.sold) - self._fates(DECLINED, EXPIRED, LATER_FAILED)
        for table, count in {
            "fleet.settlements": paid,
            "dossiers": paid,
            "step_instances": paid * STEPS,
            "fleet.notices": self._fates(BACK),
        }.items():
            assert self._count(table) == count, table
        told = self._rows("select event_type::text, count(*) from events group by 1")
        assert {row.event_type: row.count for row in told} == {
            "DOSSIER_CREATED": paid,
            "PAYMENT_RECEIVED": paid,
            "PAYMENT_FAILED": self._fates(SECOND_TRY, DECLINED, LATER_FAILED) - self._not_told(),
        }
        found = Counter(row.kind for row in self._rows("select kind from fleet.findings"))
        assert found == {"DISPUTE": self._fates(DISPUTED)}
        assert self._rows("select * from fleet.inbox where parked_at is not null or handled_at is null") == []

    def wrong(self) -> dict[str, str]:
        """Orders that are not where Stripe has them, by session."""
        rows = self._rows(
            "select o.id, o.status::text as status, p.status::text as profile,"
            " (select coalesce(sum(refunded), 0) from fleet.payments where order_id = o.id) as refunded"
            " from orders o join profiles p on p.id = o.user_id"
        )
        seen = {row.id: (row.status, row.profile, row.refunded) for row in rows}
        wrong = {}
        for client, session_id, fate in self.sold:
            status, profile, refunded = seen[client.order_id]
            back = {BACK: refunded or None, BACK_IN_PART: 100}.get(fate, 0)
            if (status, profile, refunded) != (*ENDS.get(fate, PAID), back):
                wrong[session_id] = f"of fate {fate}: {status}, {profile}, {refunded}"
        return wrong

    def _not_told(self) -> int:
        """Cards declined before a payment that was known sooner than that: nobody need hear of these."""
        heard = self._count("fleet.payment_failures")
        return self._fates(SECOND_TRY, DECLINED, LATER_FAILED) - heard

    def _waiting(self) -> int:
        with self.sessions() as session:
            return stripe_inbox.waiting(session)

    def _fates(self, *fates: int) -> int:
        return sum(fate in fates for _, _, fate in self.sold)

    def _calls(self) -> int:
        return sum(self.sandbox.stripe_calls().values())

    def _count(self, table: str) -> int:
        return int(self._rows(f"select count(*) from {table}")[0][0])

    def _rows(self, statement: str) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement)))


@contextmanager
def storm(
    owner_url: str,
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    sandbox: SandboxClient,
    leaving: list[threading.Thread],
    turn: Callable[[], None] = lambda: None,
) -> Iterator[Storm]:
    """A shop, an ingress that takes the sandbox's webhooks, and the fleet's own adapter."""
    clock = Clock()
    environment = {
        "STRIPE_SECRET_KEY": USUAL_STRIPE_KEY,
        "STRIPE_BASE_URL": sandbox.base_url,
        "APP_URL": "https://app.example.com",
    }
    transport = PooledTransport(connect_timeout=3, read_timeout=10, connections=8)
    provider = StripePayments(USUAL_STRIPE_KEY, sandbox.base_url, transport, turn)
    with serving(sessions, clock, leaving) as ingress, Shop(owner_url, environment) as shop:
        sandbox.change(
            stripe_webhook_url=f"{ingress.url}/webhooks/stripe", stripe_webhook_secret=WEBHOOK_SECRETS[0]
        )
        yield Storm(sessions, application, shop, sandbox, clock, provider)
    transport.close()
