"""Workers killed under a load of three channels, and the accounts: what was due, and what was accepted."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psycopg

from db.engine import dsn
from tests.benchmarks.waiting import wait_for
from workers.dev.application import Application

if TYPE_CHECKING:
    from datetime import datetime

    from workers.dev.processes import ChildProcess
    from workers.dev.sandbox.client import SandboxClient
    from workers.dev.stack import Stack

PROCESSES: Final = ("ingress", "relay", "beat")
WORKERS: Final = ("worker-1", "worker-2")
DELIVERIES_EACH: Final = 3
"""To one client: an e-mail and a WhatsApp message of an event, and an SMS of the application's own."""

STARTED_SECONDS: Final = 30.0
DROPPED_EVERY: Final = 20
"""One answer in so many is dropped after the message was accepted."""

ENVIRONMENT: Final = {
    "FLEET_CONNECT_TIMEOUT_SECONDS": "0.5",
    "FLEET_READ_TIMEOUT_SECONDS": "2",
    "FLEET_LEASE_SECONDS": "5.5",
    "FLEET_RETRY_BASE_SECONDS": "0.5",
    "FLEET_LOOKUP_AFTER_SECONDS": "5",
    # So many kills may hit one delivery again and again.
    "FLEET_EMAIL_RETRIES": "20",
    "FLEET_SMS_RETRIES": "20",
    "FLEET_WHATSAPP_RETRIES": "20",
    "FLEET_WHATSAPP_PER_MINUTE": "1000000",
    "FLEET_SMS_PER_SECOND": "1000000",
    "FLEET_EMAILS_PER_SECOND": "1000000",
}

_LOAD = """
    select d.id::text, d.channel::text, d.status::text, d.provider_response ->> 'code',
      array(select a.token::text from fleet.attempts a where a.delivery_id = d.id order by a.number),
      exists (select from fleet.fallbacks f where f.from_delivery_id = d.id)
    from public.notification_deliveries d
    where d.channel in ('EMAIL', 'WHATSAPP', 'SMS')
"""
_LEFT = """
    select (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch)
      + (select count(*) from fleet.inbox where handled_at is null)
      + (select count(*) from fleet.attempts where closed_at is null)
      + (select count(*) from public.notification_deliveries where status = 'PENDING')
"""
_PROOFS = """
    select
      concat_ws(' ', coalesce(outcome, '(open)'), evidence, case when outcome <> 'ACCEPTED' then code end),
      count(*)
    from fleet.attempts group by 1 order by 1
"""
_OPENED = "select token::text, opened_at from fleet.attempts"
_FIRST_TOLD = """
    select body ->> 'attempt', min(received_at) from fleet.inbox
    where body ->> 'attempt' is not null group by 1
"""


@dataclass(frozen=True)
class Load:
    """How much, how often, and what providers keep to themselves.

    Attributes:
        kills: How many workers are killed, one after the other.
        clients: How many clients come, as many before each kill.
        pause: The longest time from the clients before a kill to the kill, in seconds.
        silent: Whether some addresses' callbacks never come.
        settled: Seconds within which everything has its last word after the last kill.
    """

    kills: int
    clients: int
    pause: float
    silent: bool
    settled: float


@dataclass
class Verdict:
    """The accounts.

    Attributes:
        deliveries: By channel and status.
        accepted: At the sandbox, by channel.
        proofs: Attempts by outcome and evidence.
        doubles: Deliveries that were accepted twice, by channel.
        faults: What was lost or sent twice though a callback or the provider's list could tell; in words.
        kills: How many there were.
        dropped: Answers that were dropped after the acceptance.
        seconds: How long it took.
    """

    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    proofs: dict[str, int] = field(default_factory=dict)
    doubles: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    kills: int = 0
    dropped: int = 0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """For people."""
        rows = [f"{self.kills} kills, {self.dropped} answers dropped after acceptance, {self.seconds:.0f} s"]
        rows += [
            f"{channel:10} {status:8} {count:6}"
            for (channel, status), count in sorted(self.deliveries.items())
        ]
        rows += [
            f"{channel:10} accepted {count:6}, {self.doubles[channel]} deliveries twice"
            for channel, count in sorted(self.accepted.items())
        ]
        rows += [f"attempts {proof:34} {count:6}" for proof, count in self.proofs.items()]
        return rows + (self.faults or ["nothing lost, nothing sent twice where anybody could tell"])


def run(stack: Stack, load: Load, owner_url: str) -> Verdict:
    """Send clients in bursts and kill a worker at a random moment after each; wait for the end; settle up.

    Args:
        stack: It runs ``PROCESSES``; the workers are started here.
        load: How much.
        owner_url: The database, as its owner.
    """
    began = time.monotonic()
    chance = random.Random(4)  # noqa: S311  it spreads the kills, and guards nothing
    with (
        stack.sandbox as sandbox,
        Application(owner_url) as application,
        psycopg.connect(dsn(owner_url), autocommit=True) as connection,
    ):
        for name in WORKERS:
            stack.spawn(name, "worker")
        sandbox.fault("drop_after", count=1_000_000, every=DROPPED_EVERY)
        verdict = Verdict()
        each = load.clients // load.kills
        while verdict.kills < load.kills:
            victim = stack.children[WORKERS[verdict.kills % len(WORKERS)]]
            wait_for(lambda: _at_work(victim), STARTED_SECONDS, "the worker is up")  # noqa: B023  at once
            for number in range(verdict.kills * each, (verdict.kills + 1) * each):
                _come(application, sandbox, number, silent=load.silent)
            time.sleep(chance.uniform(0, load.pause))
            victim.kill()
            stack.revive()
            verdict.kills += 1
        wait_for(lambda: _number(connection, _LEFT) == 0, load.settled, "everything has its last word")
        verdict.dropped = sandbox.stats().faults.get("drop_after", 0)
        _settle_up(connection, sandbox, load, verdict)
    verdict.seconds = time.monotonic() - began
    return verdict


def _at_work(worker: ChildProcess) -> bool:
    return " ready." in worker.output(500)


def _come(application: Application, sandbox: SandboxClient, number: int, *, silent: bool) -> None:
    """One client, whose payment is refused, and to whom the application writes an SMS besides."""
    phone = f"+336399{80010 + number}"
    mute = silent and number % 20 == 11
    email = f"client{number}{'+silent' if mute else ''}@example.com"
    if mute:
        sandbox.behave(phone, "silent")
    elif number % 20 == 3:
        sandbox.behave(phone, "refuse", channel="whatsapp", code=63003)
    elif number % 20 == 7:
        sandbox.behave(phone, "fail", channel="whatsapp", code=63024)
    client = application.register(email, "Camille Exemple", phone=phone)
    application.event("PAYMENT_FAILED", "order", client.order_id)
    own = application.notify(client, "Rendez-vous", "Votre rendez-vous est confirmé.")
    application.deliver(own, "SMS", phone)


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _settle_up(connection: psycopg.Connection, sandbox: SandboxClient, load: Load, verdict: Verdict) -> None:
    accepted = _accepted(sandbox)
    opened: dict[str, datetime] = dict(connection.execute(_OPENED).fetchall())
    told: dict[str, datetime] = dict(connection.execute(_FIRST_TOLD.encode()).fetchall())
    rows = connection.execute(_LOAD.encode()).fetchall()
    verdict.proofs = dict(connection.execute(_PROOFS.encode()).fetchall())
    gave_way = 0
    for delivery_id, channel, status, code, tokens, gave in rows:
        verdict.deliveries[channel, status] += 1
        gave_way += gave
        bore_fruit = [token for token in tokens if token in accepted]
        verdict.accepted[channel] += len(bore_fruit)
        if len(bore_fruit) > 1:
            verdict.doubles[channel] += 1
            again_at = opened[bore_fruit[1]]
            first = bore_fruit[0]
            if channel != "EMAIL" or (first in told and told[first] < again_at):
                verdict.faults.append(f"{channel} {delivery_id} was sent twice, and the first could be found")
        if status == "SENT" and not bore_fruit:
            verdict.faults.append(f"{channel} {delivery_id} is SENT and was not accepted")
        if status == "SENT" and channel == "WHATSAPP" and gave:
            verdict.faults.append(f"{channel} {delivery_id} was sent, and an SMS went besides")
        if status != "SENT" and not (channel == "WHATSAPP" and gave):
            verdict.faults.append(f"{channel} {delivery_id} is {status} ({code}) and nothing went instead")
    known = {token for row in rows for token in row[4]}
    if strangers := accepted - known:
        verdict.faults.append(f"{len(strangers)} accepted messages belong to no attempt")
    due = load.clients // load.kills * load.kills * DELIVERIES_EACH + gave_way
    if len(rows) != due:
        verdict.faults.append(f"{len(rows)} deliveries, and {due} were due")


def _accepted(sandbox: SandboxClient) -> set[str]:
    """The tokens of what the sandbox has accepted; the same token twice would be a send that was repeated."""
    emails = [message.custom_args["attempt"] for message in sandbox.messages()]
    phones = [message.token or "" for message in sandbox.phone_messages(inbound=False)]
    tokens = [*emails, *phones]
    assert len(set(tokens)) == len(tokens), "one attempt was accepted twice"
    return set(tokens)
