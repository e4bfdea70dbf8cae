"""Workers killed while orders are reminded of, and the accounts: what each order has one of."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import psycopg

from db.engine import dsn
from tests.benchmarks import kills
from tests.benchmarks.waiting import wait_for
from workers.dev.processes import wait_until
from workers.dev.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.e2e.timed import Clock
    from workers.dev.application import Client
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.stack import Stack

PROCESSES: Final = kills.PROCESSES
WORKERS: Final = kills.WORKERS

ENVIRONMENT: Final = kills.ENVIRONMENT | {
    "FLEET_UNKNOWN_WAIT_SECONDS": "7",
    # Due from midnight on, so at any time of the day.
    "FLEET_REMINDER_TIME": "00:00",
    "FLEET_STRIPE_PER_SECOND": "100",
}
ENTRY: Final = "send-reminders"
LATENCY_SECONDS: Final = 0.15

LEAP: Final = timedelta(minutes=6)
"""Longer than any lease."""

_STILL_SECONDS: Final = 1.5
"""As long as nothing moves, what is left waits for the lease of somebody dead."""

_LEFT = """
    select (select count(*) from orders o where o.status = 'PENDING' and not exists (
        select from fleet.reminders r where r.order_id = o.id)),
      (select count(*) from fleet.reminders where state = 'CLAIMED'),
      (select count(*) from fleet.notices where told_at is null),
      (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch),
      (select count(*) from fleet.inbox where handled_at is null),
      (select count(*) from fleet.attempts where closed_at is null),
      (select count(*) from notification_deliveries where status = 'PENDING')
"""
_ORDERS = """
    select o.id::text, u.email, p.phone, o.stripe_checkout_session_id,
      array(select concat_ws(' ', r.number, r.state, r.reason) from fleet.reminders r
            where r.order_id = o.id order by r.number),
      (select max(r.session_id) from fleet.reminders r where r.order_id = o.id),
      array(select w.sent_via::text from payment_reminders w where w.order_id = o.id order by 1),
      array(select d.channel::text from notifications n
            join notification_deliveries d on d.notification_id = n.id and d.status = 'SENT'
            where n.user_id = o.user_id order by 1)
    from orders o join profiles p on p.id = o.user_id join auth.users u on u.id = o.user_id
"""
# A run that a worker has taken with it is due again; this makes it another day's.
_ANOTHER_DAY = """
    update fleet.schedule set since = since - interval '1 day', started_at = started_at - interval '1 day'
    where name = %s
"""


@dataclass(frozen=True)
class Load:
    """How much.

    Attributes:
        kills: How many workers are killed, one after the other.
        orders: How many orders become due, as many before each kill.
        pause: The longest time from orders that become due to the kill, in seconds.
        settled: Seconds within which everything has its last word after the last kill.
    """

    kills: int
    orders: int
    pause: float
    settled: float


@dataclass
class Verdict:
    """The accounts.

    Attributes:
        orders: How many there are.
        open_sessions: At the sandbox.
        made_sessions: Those that were ever made, the clients' own included.
        messages: Accepted by the sandbox and not failed since, by channel.
        calls: To the sandbox's Stripe, by endpoint.
        kills: How many there were.
        leaps: How often the clock was set ahead past the leases of the dead.
        seconds: How long it took.
        faults: What is missing or there twice, in words.
    """

    orders: int = 0
    open_sessions: int = 0
    made_sessions: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    calls: Mapping[str, int] = field(default_factory=dict)
    kills: int = 0
    leaps: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        rows = [
            f"{self.kills} kills, {self.orders} due orders, {self.leaps} leaps in time, {self.seconds:.0f} s",
            f"sessions   {self.open_sessions:6} open of {self.made_sessions} that were made",
            *(f"{channel:10} {count:6} messages" for channel, count in sorted(self.messages.items())),
            *(f"{endpoint:44} {count:6} calls" for endpoint, count in sorted(self.calls.items())),
        ]
        return rows + (self.faults or ["one reminder, one live session, one message a channel: each order"])


def run(stack: Stack, clock: Clock, load: Load, owner_url: str) -> Verdict:
    """Let orders become due in handfuls and kill a worker at a random moment after each; then settle up.

    Args:
        stack: It runs ``PROCESSES`` by the clock; the workers are started here.
        clock: The stack's.
        load: How much.
        owner_url: The database, as its owner.
    """
    began = time.monotonic()
    chance = random.Random(7)  # noqa: S311  it spreads the kills, and guards nothing
    with (
        stack.sandbox as sandbox,
        Shop(owner_url, stack.environment) as shop,
        psycopg.connect(dsn(owner_url), autocommit=True) as connection,
    ):
        for name in WORKERS:
            stack.spawn(name, "worker")
        clients = [_come(shop, sandbox, number) for number in range(load.orders)]
        connection.execute("update orders set created_at = created_at - interval '10 days'")
        sandbox.set_latency(LATENCY_SECONDS)
        verdict = Verdict(orders=load.orders)
        each = load.orders // load.kills
        while verdict.kills < load.kills:
            victim = stack.children[WORKERS[verdict.kills % len(WORKERS)]]
            wait_for(lambda: " ready." in victim.output(500), kills.STARTED_SECONDS, "the worker is up")  # noqa: B023  at once
            last = verdict.kills == load.kills - 1
            due = clients[verdict.kills * each : None if last else (verdict.kills + 1) * each]
            _suspend(connection, due)
            time.sleep(chance.uniform(0, load.pause))
            victim.kill()
            stack.revive()
            verdict.kills += 1
        _see_it_through(connection, clock, load.settled, verdict)
        _settle_up(connection, sandbox, verdict)
    verdict.seconds = time.monotonic() - began
    return verdict


def _come(shop: Shop, sandbox: SandboxClient, number: int) -> Client:
    """A client with an open session; to some phones WhatsApp does not come through."""
    phone = f"+336399{80010 + number}"
    if number % 10 == 3:
        sandbox.behave(phone, "refuse", channel="whatsapp", code=63003)
    client = shop.register(f"client{number}@example.com", "Camille Exemple", phone=phone)
    shop.checkout(client)
    return client


def _suspend(connection: psycopg.Connection, clients: Sequence[Client]) -> None:
    """Make these clients' orders due, and the day's run once more."""
    connection.execute(
        "update profiles set status = 'SUSPENDED' where id = any(%s)", [[each.user_id for each in clients]]
    )
    connection.execute(_ANOTHER_DAY, [ENTRY])


def _see_it_through(connection: psycopg.Connection, clock: Clock, seconds: float, verdict: Verdict) -> None:
    """Wait until nothing is left to do; where nothing moves any more, let the leases of the dead end."""
    deadline = time.monotonic() + seconds
    left = _left(connection)
    while any(left):
        assert time.monotonic() < deadline, f"not within {seconds:g} s everything has its last word: {left}"
        if not wait_until(lambda: _left(connection) != left, _STILL_SECONDS):  # noqa: B023  at once
            clock.set(clock.now() + LEAP)
            connection.execute(_ANOTHER_DAY, [ENTRY])
            verdict.leaps += 1
        left = _left(connection)


def _left(connection: psycopg.Connection) -> tuple[int, ...]:
    row = connection.execute(_LEFT.encode()).fetchone()
    assert row is not None
    return tuple(row)


def _settle_up(connection: psycopg.Connection, sandbox: SandboxClient, verdict: Verdict) -> None:
    sessions = sandbox.stripe_sessions()
    live: dict[str, list[str]] = {}
    for session in sessions:
        if session.status == "open":
            live.setdefault(session.metadata.get("order_id", ""), []).append(session.id)
    emails = Counter(message.recipient for message in sandbox.messages())
    phones: Counter[tuple[str, str]] = Counter(
        (message.to, message.channel)
        for message in sandbox.phone_messages(inbound=False)
        if message.status not in {"failed", "undelivered"}
    )
    verdict.open_sessions, verdict.made_sessions = sum(map(len, live.values())), len(sessions)
    verdict.calls = sandbox.stripe_calls()
    verdict.messages["email"] = emails.total()
    for (_, channel), count in phones.items():
        verdict.messages[channel] += count
    for row in connection.execute(_ORDERS.encode()).fetchall():
        order_id, email, phone, current, reminders, session_id, written, delivered = row
        rung = [channel.upper() for (to, channel), n in phones.items() if to == phone for _ in range(n)]
        channels = sorted(["EMAIL", "IN_APP", *rung])
        # One that gave way to another is written down as well.
        tried = sorted({"WHATSAPP", *channels})
        told: dict[str, tuple[object, object]] = {
            "reminders": (reminders, ["1 SENT"]),
            "open sessions": (live.get(order_id), [current]),
            "the reminder's session": (session_id, current),
            "e-mails": (emails[email], 1),
            "messages to the phone": (len(rung), 1),
            "deliveries that were sent": (delivered, channels),
            "payment_reminders": (written, tried),
        }
        verdict.faults += [
            f"order {order_id}, {what}: {found}, not {due}"
            for what, (found, due) in told.items()
            if found != due
        ]
