"""The demo: a client's story on a stack of its own, a killed worker, a wiped broker, and the accounts."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis
from rich.table import Table
from sqlalchemy.orm import Session

from db.engine import make_engine
from db.seed import seed
from workers.dev import accounts
from workers.dev.embedded.folders import claim
from workers.dev.processes import wait_until
from workers.dev.shop import Shop
from workers.dev.stack import Stack, bare_environment
from workers.dev.story import BOUNCES, DAYS, DUPLICATES, Story, StoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console
    from sqlalchemy import Engine

    from workers.dev.accounts import Accounts

CLIENTS_BEFORE, CLIENTS_AFTER = 16, 8
KILL_AFTER = 20
"""Messages accepted before the worker is killed: in the middle of a batch."""

LATENCY_SECONDS = 0.1
SETTLED_SECONDS = 45.0

REMINDERS = "send-reminders"
"""The entry of the timetable that has people reminded."""

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
    with Session(engine) as session, session.begin():
        seed(session)
    with Shop(stack.owner_url, stack.environment) as shop, stack.sandbox as sandbox:
        story = Story(shop, sandbox, stack.environment["PUBLIC_URL"])
        page = stack.addresses["sandbox"]
        console.print(
            f"While it plays, the mail is at {page}, and the phones at {page}/phones.", soft_wrap=True
        )
        faults = []
        try:
            _tell(stack, story, console)
        except StoryError as error:
            faults.append(f"The story broke off: {error}")
        with console.status("The fleet works it off"), Session(engine) as session:
            settled = wait_until(lambda: _settled(session), SETTLED_SECONDS)
        with Session(engine) as session:
            phone_messages = sandbox.phone_messages(inbound=False)
            checked = accounts.check(session, sandbox.messages(), phone_messages, story.worth)
            console.print(accounts.overview(session))
        checked.faults += faults
        planted = {"duplicates": (checked.duplicates, DUPLICATES), "bounces": (checked.bounced, BOUNCES)}
        for what, (found, known) in planted.items():
            if found != known:
                checked.faults.append(f"{found} {what} were found, and {known} were planted")
        if not {"REFUSED", "FAILED"} <= checked.fallbacks.keys():
            checked.faults.append("WhatsApp did not give way where it was refused and where it failed later")
        if not settled:
            checked.faults.append(f"not everything was settled within {SETTLED_SECONDS:g} s")
    console.print(f"fleet reminders\n{stack.ask('reminders')}", markup=False, highlight=False)
    _report(console, checked, story.worth.total(), time.monotonic() - began)
    return checked


def _tell(stack: Stack, story: Story, console: Console) -> None:
    """What happens, up to the end of what people do."""
    if not wait_until(lambda: _listens(stack.addresses["ingress"]), SETTLED_SECONDS):
        raise StoryError("the ingress does not listen; see the logs")
    console.print(
        f"{CLIENTS_BEFORE} clients register, pay on Stripe's page and hand in their documents."
        " One more client's card is refused."
    )
    late = story.be_refused()
    clients = [story.buy(number) for number in range(CLIENTS_BEFORE)]
    for client in story.with_dossiers(clients):
        story.hand_in(client)
    if not wait_until(lambda: story.sandbox.stats().accepted >= KILL_AFTER, SETTLED_SECONDS):
        raise StoryError("the sandbox accepted nothing; see the logs")
    stack.children["worker"].kill()
    at_kill = story.sandbox.stats().accepted
    console.print(
        f"The worker is killed with SIGKILL after {at_kill} messages were accepted, and started again."
    )
    stack.revive()
    console.print(
        f"{CLIENTS_AFTER} more clients come, and the broker is wiped under their payments and events."
    )
    clients = [story.buy(number) for number in range(CLIENTS_BEFORE, CLIENTS_BEFORE + CLIENTS_AFTER)]
    _wipe(stack)
    for client in story.with_dossiers(clients):
        story.hand_in(client)
    _wipe(stack)
    console.print("One has no WhatsApp, to one WhatsApp fails later, and one e-mail address is gone.")
    story.hard_to_reach()
    story.own_words()
    console.print(
        f"{DAYS} days pass for the client whose card was refused: SQL sets the order back, and the day's run"
        f" is started by hand, fleet run {REMINDERS}: ",
        end="",
    )
    story.wait_for_days(late)
    console.print(stack.ask("run", REMINDERS), markup=False, highlight=False)
    story.come_back(late)
    console.print(
        "The reminder comes by e-mail, by WhatsApp and in-app; its link is followed, the order paid, and the"
        " client welcomed back."
    )
    story.end()
    if not story.is_welcomed_back(late):
        raise StoryError("who came back was not welcomed back")


def _listens(address: str) -> bool:
    """Whether callbacks arrive: one that comes too early is only tried again seconds later."""
    place = urlsplit(address)
    with socket.socket() as probe:
        return probe.connect_ex((str(place.hostname), int(place.port or 0))) == 0


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
