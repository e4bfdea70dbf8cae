"""What the tests of the pipeline share: a clock moved by hand, the real parts wired to it, the rows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from sqlalchemy import select, text

from db.engine import dsn
from db.models import NotificationDelivery
from db.models.fleet import Attempt, ChannelPause, DispatchRow
from services.notifications.carriers import EmailCarrier, InAppCarrier
from services.notifications.delivery import Drain
from services.notifications.evidence import Evidence
from services.notifications.fanout import FanOut, Routing
from services.notifications.notices import Notices
from services.notifications.render import Company, Renderer
from services.notifications.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.dispatch import ClaimedRow
    from providers.base import Receipt
    from providers.sendgrid import SendGridEmail
    from services.notifications.delivery import Carrier
    from services.notifications.pace import Pace
    from workers.dev.application import Application, Client

API_KEY = "SG.made-up"
APP_URL = "https://app.example.com"
LEASE = 30.0
UNKNOWN_WAIT = 900.0
POLICY = RetryPolicy(retries=3, base_seconds=30.0, cap_seconds=3600.0, unknown_wait_seconds=UNKNOWN_WAIT)
JITTER = 0.5
RENDERER = Renderer(Company("Partners VRAI"))

T = TypeVar("T")


def never() -> bool:
    """Nobody asks the drain to stop."""
    return False


@contextmanager
def side_by_side(*works: Callable[[], object]) -> Iterator[None]:
    """Run each in a thread of its own while the body runs; what any of them raised is raised at the end."""
    raised: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    threads = [Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(20)
    assert not any(thread.is_alive() for thread in threads), "a thread did not come to its end"
    if raised:
        raise raised[0]


def execute(database_url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with psycopg.connect(dsn(database_url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Stalled:
    """A worker that freezes between the provider's answer and its own next step."""

    carrier: Carrier
    answered: Event = field(default_factory=Event)
    thawed: Event = field(default_factory=Event)

    @property
    def provider(self) -> str:
        return self.carrier.provider

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        try:
            return self.carrier.carry(claimed, token)
        finally:
            self.answered.set()
            assert self.thawed.wait(20)


@dataclass
class Pipeline:
    """The real parts on one database, with the test's clock.

    Attributes:
        sessions: As the fleet's role: the parts themselves.
        application: As the owner: what is looked up or changed by hand.
        sender: Sends e-mails.
        clock: Their time.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    sender: SendGridEmail
    clock: Clock

    @property
    def carrier(self) -> EmailCarrier:
        return EmailCarrier(self.sender, RENDERER, "fr", APP_URL)

    def fan_out(self, *app_announces: str) -> FanOut:
        return FanOut(
            self.sessions, RENDERER, "fr", frozenset(app_announces), POLICY, self.clock, lambda: JITTER, "FR"
        )

    def notices(self) -> Notices:
        return Notices(self.sessions, RENDERER, "fr", POLICY, self.clock, lambda: JITTER, "FR")

    def routing(self, grace: float = 5.0) -> Routing:
        return Routing(self.sessions, timedelta(seconds=grace), self.clock, "FR")

    def evidence(self) -> Evidence:
        return Evidence(self.sessions, self.clock)

    def drain(
        self, carrier: Carrier | None = None, side_by_side: int = 16, pace: Pace | None = None
    ) -> Drain:
        lease = timedelta(seconds=LEASE)
        return Drain(
            "EMAIL",
            carrier or self.carrier,
            self.sessions,
            POLICY,
            lease,
            side_by_side,
            self.clock,
            lambda: JITTER,
            pace,
        )

    def in_app_drain(self) -> Drain:
        lease = timedelta(seconds=LEASE)
        return Drain("IN_APP", InAppCarrier(), self.sessions, POLICY, lease, 4, self.clock)

    def send(self) -> int:
        """One pass of a drain of e-mails."""
        return self.drain().run(never)

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def scalar(self, statement: str, **values: object) -> Any:
        with self.application() as session:
            return session.scalar(text(statement), values)

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def delivery(self, delivery_id: UUID) -> NotificationDelivery:
        with self.application() as session:
            return session.get_one(NotificationDelivery, delivery_id)

    def attempts(self, delivery_id: UUID) -> Sequence[Attempt]:
        """Oldest first."""
        by_number = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.number)
        with self.application() as session:
            return session.scalars(by_number).all()

    def queued(self, delivery_id: UUID) -> DispatchRow | None:
        with self.application() as session:
            return session.get(DispatchRow, delivery_id)

    def pause(self) -> ChannelPause | None:
        with self.application() as session:
            return session.get(ChannelPause, "EMAIL")

    def statuses(self) -> dict[str, int]:
        """How many deliveries stand where."""
        found = self.rows("select status::text, count(*) from notification_deliveries group by 1")
        return {row.status: row.count for row in found}

    def write_back(self, token: UUID, message_id: str, callback_id: str = "callback-1") -> None:
        """Put into the inbox what SendGrid says of an accepted message."""
        self.change(
            "insert into fleet.inbox (provider, callback_id, body)"
            " values ('sendgrid', :id, jsonb_build_object('event', 'delivered',"
            " 'attempt', cast(:token as text), 'sg_message_id', cast(:message as text)))",
            id=callback_id,
            token=str(token),
            message=f"{message_id}.recvd-7f9c",
        )


def email(app: Application, client: Client, recipient: str | None = None, title: str = "Bonjour") -> UUID:
    """A notification of the application's own with one e-mail delivery, whose id comes back."""
    notification_id = app.notify(client, title, "Votre conseiller vous attend.")
    return app.deliver(notification_id, "EMAIL", recipient or client.email)
