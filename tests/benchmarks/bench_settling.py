"""Twenty processes that settle the same orders, some of them killed; many lives of one order; the pace."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.notifications.one_database import clone
from tests.payments.test_order_life import live
from tests.payments.till import SETTLED_EVENTS, STEPS, Till, opened, paid
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database

PROCESSES = 20
KILLED = 12
ORDERS = int(os.environ.get("FLEET_ORDERS", "100"))
LIVES = int(os.environ.get("FLEET_LIVES", "300"))


@pytest.fixture
def database(_template: Database) -> Iterator[Database]:
    with clone(_template) as database:
        yield database


@pytest.fixture
def till(
    database: Database, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> Iterator[Till]:
    with Application(database.owner_url) as app:
        yield Till(sessions, application, app)


def test_processes_that_settle_the_same_and_are_killed(till: Till, database: Database) -> None:
    clients = [till.register() for _ in range(ORDERS)]
    order_ids = [str(client.order_id) for client in clients]
    chance = random.Random(20)  # noqa: S311 - any moment does

    def settler(seed: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.benchmarks.settler", database.url, str(seed), *order_ids]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    began = time.monotonic()
    settlers = [settler(seed) for seed in range(PROCESSES)]
    for doomed in settlers[:KILLED]:
        assert doomed.stdout is not None
        for _ in range(chance.randrange(1, 5)):
            doomed.stdout.readline()
        doomed.kill()
    for each in settlers:
        each.communicate()
    seconds = time.monotonic() - began
    assert [each.returncode for each in settlers] == [-9] * KILLED + [0] * (PROCESSES - KILLED)
    for client in clients:
        end = till.standing(client)
        assert (end.order, end.profile, end.dossiers, end.steps) == ("PAID", "ACTIVE", 1, STEPS)
        assert dict(end.events) in ({**SETTLED_EVENTS, "PAYMENT_FAILED": 1}, SETTLED_EVENTS)
        assert not end.findings
    sys.stdout.write(
        f"\n\n{ORDERS} orders settled by {PROCESSES} processes, {KILLED} of them killed: {seconds:.0f} s,"
        " each once\n"
    )


def test_many_lives_of_an_order(till: Till) -> None:
    began = time.monotonic()
    live(till, LIVES, by_chance=True)
    sys.stdout.write(f"\n\n{LIVES} lives of an order in {time.monotonic() - began:.0f} s\n")


def test_the_pace_of_one_settler(till: Till) -> None:
    checkouts = [paid(opened(till.register())) for _ in range(ORDERS)]
    began = time.monotonic()
    for checkout in checkouts:
        till.take(checkout)
    settled = time.monotonic()
    for checkout in checkouts:
        till.take(checkout)
    again = time.monotonic()
    sys.stdout.write(
        f"\n\nOne order settled in {(settled - began) / ORDERS * 1000:.1f} ms,"
        f" told again in {(again - settled) / ORDERS * 1000:.1f} ms\n"
    )
