"""The demo: a client's story on a stack of its own, a killed worker, a wiped broker, and the accounts."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import redis
from rich.table import Table
from sqlalchemy.orm import Session

from db.engine import make_engine
from db.seed import seed
from workers.dev import accounts
from workers.dev.application import Application, Client
from workers.dev.embedded.folders import claim
from workers.dev.processes import wait_until
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console
    from sqlalchemy import Engine

    from workers.dev.accounts import Accounts

CLIENTS_BEFORE, CLIENTS_AFTER = 16, 8
KILL_AFTER = 20
"""Messages accepted before the worker is killed: in the middle of a batch."""

DUPLICATES = 1
"""Deliveries that the application inserts a second time."""

BOUNCES = 2
"""E-mails to the address that is gone."""

LATENCY_SECONDS = 0.1
SETTLED_SECONDS = 45.0

# The last four digits say what the sandbox makes of it: see workers/dev/sandbox/behaviours.py.
_NO_WHATSAPP, _WHATSAPP_FAILS_LATER = "+33639989903", "+33639989924"

_NAMES = ("Camille Exemple", "Andrea Sample", "Maxime O’Exemple", "Sacha <b>Beispiel</b>")

# Everything happens sooner than in production, so that the demo tells in seconds what takes minutes.
_SOONER = {
    "FLEET_CONNECT_TIMEOUT_SECONDS": "1",
    "FLEET_READ_TIMEOUT_SECONDS": "3",
    "FLEET_LEASE_SECONDS": "8.5",
    # Long enough after the lease that Twilio has been asked by then.
    "FLEET_UNKNOWN_WAIT_SECONDS": "11",
    "FLEET_RETRY_BASE_SECONDS": "1",
    "FLEET_ROUTING_GRACE_SECONDS": "1",
    "FLEET_LOOKUP_AFTER_SECONDS": "2",
    # A new WhatsApp sender may write once a second; the sandbox takes what comes.
    "FLEET_WHATSAPP_PER_MINUTE": "60000",
    "FLEET_SMS_PER_SECOND": "1000",
}


def run(parent: Path, console: Console, after: Callable[[Stack], None] | None) -> bool:
    """Play the story and check it.

    Args:
        parent: Where to make a folder for the time of the demo.
        console: Where to tell of it.
        after: What to do before the stack ends, if anything.

    Returns:
        Whether nothing is missing and nothing was sent twice.
    """
    folder = parent / f"demo-{os.getpid()}"
    given = bare_environment(os.environ) | _SOONER
    held = claim(folder)
    try:
        with Stack(folder, given, latency=LATENCY_SECONDS) as stack:
            engine = make_engine(stack.owner_url, pool_size=2)
            try:
                checked = _play(stack, engine, console)
            finally:
                engine.dispose()
            if after is not None:
                after(stack)
            return not checked.faults
    finally:
        held.clear()


def _play(stack: Stack, engine: Engine, console: Console) -> Accounts:
    began = time.monotonic()
    expected: Counter[str] = Counter()
    with Session(engine) as session, session.begin():
        seed(session)
    with Application(stack.owner_url) as application, stack.sandbox as sandbox:
        page = stack.addresses["sandbox"]
        console.print(
            f"While it plays, the mail is at {page}, and the phones at {page}/phones.", soft_wrap=True
        )
        console.print(f"{CLIENTS_BEFORE} clients register, pay and hand in their documents.")
        for number in range(CLIENTS_BEFORE):
            expected += _live(application, number)
        if not wait_until(lambda: sandbox.stats().accepted >= KILL_AFTER, SETTLED_SECONDS):
            console.print("The sandbox accepted nothing; see the logs.", style="bold red")
        stack.children["worker"].kill()
        at_kill = sandbox.stats().accepted
        console.print(
            f"The worker is killed with SIGKILL after {at_kill} messages were accepted, and started again."
        )
        stack.revive()
        console.print(f"{CLIENTS_AFTER} more clients come, and the broker is wiped under their events.")
        for number in range(CLIENTS_BEFORE, CLIENTS_BEFORE + CLIENTS_AFTER):
            expected += _live(application, number)
            if number == CLIENTS_BEFORE + CLIENTS_AFTER // 2:
                _wipe(stack)
        _wipe(stack)
        console.print("One has no WhatsApp, to one WhatsApp fails later, and one e-mail address is gone.")
        expected += _hard_to_reach(application)
        expected += _own_words(application)
        with console.status("The fleet works it off"), Session(engine) as session:
            settled = wait_until(lambda: _settled(session), SETTLED_SECONDS)
        with Session(engine) as session:
            phone_messages = sandbox.phone_messages(inbound=False)
            checked = accounts.check(session, sandbox.messages(), phone_messages, expected)
            console.print(accounts.overview(session))
        planted = {"duplicates": (checked.duplicates, DUPLICATES), "bounces": (checked.bounced, BOUNCES)}
        for what, (found, known) in planted.items():
            if found != known:
                checked.faults.append(f"{found} {what} were found, and {known} were planted")
        if not {"REFUSED", "FAILED"} <= checked.fallbacks.keys():
            checked.faults.append("WhatsApp did not give way where it was refused and where it failed later")
        if not settled:
            checked.faults.append(f"not everything was settled within {SETTLED_SECONDS:g} s")
    _report(console, checked, sum(expected.values()), time.monotonic() - began)
    return checked


def _live(application: Application, number: int) -> Counter[str]:
    """One client's story; returns how many notices it is worth, by address and number."""
    email, phone = f"client{number:02}@example.com", f"+336399810{number:02}"
    name = _NAMES[number % len(_NAMES)]
    client = application.pay(application.register(email, name, phone=phone))  # welcome, payment
    passport = application.upload(client, "PASSPORT")  # received
    proof = application.upload(client, "PROOF_ADDRESS")  # received
    application.review(passport, "APPROVED")  # approved
    application.review(proof, "REJECTED", 'Page 2 manque : "l’adresse" est illisible & coupée.')  # rejected
    application.complete_step(client, "QUALIFICATION")  # step completed
    application.change_status(client, "FORM_SUBMITTED")  # status changed
    application.write_message(client, "Bonjour, il nous manque une page.")  # new message
    application.event("STEP_STARTED", "dossier", client.dossier_id or client.user_id)  # nobody is told
    return Counter({email: 9, phone: 4})  # on the phone: welcome, payment, rejected, new message


def _hard_to_reach(application: Application) -> Counter[str]:
    """Clients whom the first way does not lead to: WhatsApp gives way to SMS, and e-mails come back."""
    gone = "client+bounce@example.com"
    application.pay(application.register(gone, "Lou Exemple"))  # welcome, payment
    expected = Counter({gone: 2})
    for number, phone in enumerate((_NO_WHATSAPP, _WHATSAPP_FAILS_LATER)):
        email = f"phone{number}@example.com"
        application.pay(application.register(email, "Charlie Beispiel", phone=phone))
        expected += Counter({email: 2, phone: 2})
    return expected


def _own_words(application: Application) -> Counter[str]:
    """Notifications that the application writes itself: with a delivery, with it twice, and without any."""
    client: Client = application.pay(
        application.register("invite@example.com", "Noa Exemple")
    )  # welcome, payment
    with_delivery = application.notify(client, "Rendez-vous", "Votre rendez-vous est confirmé.")
    application.deliver(with_delivery, "EMAIL", client.email)
    application.deliver(with_delivery, "EMAIL", client.email)  # refused as a duplicate
    application.notify(client, "Documents prêts", "Vos statuts sont à votre disposition.")
    return Counter({client.email: 4})


def _settled(session: Session) -> bool:
    with session.begin():
        return accounts.unsettled(session) == 0 and accounts.untold(session) == 0


def _wipe(stack: Stack) -> None:
    with redis.Redis.from_url(stack.environment["REDIS_URL"]) as broker:
        broker.flushall()


def _report(console: Console, checked: Accounts, expected: int, seconds: float) -> None:
    table = Table(title="Accounts", title_justify="left", show_header=False)
    table.add_row("messages that the story is worth", str(expected))
    for channel in accounts.CHANNELS:
        table.add_row(f"{channel} deliveries in the database", str(checked.deliveries[channel]))
        table.add_row(f"{channel} messages that the sandbox accepted", str(checked.accepted[channel]))
    table.add_row("deliveries not sent, for another had said the same", str(checked.duplicates))
    table.add_row("WhatsApp gave way to SMS", _counts(checked.fallbacks))
    table.add_row("e-mails that came back", str(checked.bounced))
    table.add_row("sends whose outcome nobody knew, proved afterwards", str(checked.proved))
    table.add_row("sends that nothing proved, and that were repeated", str(checked.sent_again))
    table.add_row("seconds", f"{seconds:.1f}")
    console.print(table)
    if not checked.faults:
        console.print("Nothing is missing, and nothing was sent twice.", style="bold green")
    for fault in checked.faults:
        console.print(fault, style="bold red", markup=False)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.lower().replace('_', ' ')} {count}" for name, count in counts.items()) or "0"
