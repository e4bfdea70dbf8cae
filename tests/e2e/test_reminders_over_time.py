"""Six weeks of reminders in half a minute: real processes, two beats, and the exact dates of each order."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

from db.engine import dsn
from tests.e2e.conftest import open_fleet
from tests.e2e.play import BEATS, Play, moment
from tests.e2e.record import Record
from tests.e2e.timed import Clock
from workers.dev.shop import Shop
from workers.dev.stack import Stack, bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import Database
    from tests.e2e.play import Act
    from workers.dev.embedded.redis import EmbeddedRedis

pytestmark = pytest.mark.e2e

FLAT, LADDER, SHORT_LADDER = "LLC_FORMATION", "CORP_FORMATION", "DUBAI_SETUP"
SETTINGS = {
    "FLEET_REMINDER_LADDER": "1,4,7,14,30",
    "FLEET_REMINDER_LADDERS": f"{FLAT}=-;{SHORT_LADDER}=2,5",
    # Weeks of messages go out in half a minute.
    "FLEET_RECIPIENT_PER_HOUR": "100000",
    "FLEET_WHATSAPP_PER_MINUTE": "100000",
    "FLEET_STRIPE_PER_SECOND": "100",
}

# From 26 January to 10 March of a leap year. From 8 February, 22:00, to the 10th, 7:00, nobody ticks.
FIRST, DAYS = "01-26", 45
DATES = {
    "early": "01-26 01-29 02-01 02-04 02-07 02-10 02-13 02-16 02-19 02-22 02-25 02-28 03-02 03-05 03-08",
    "late": "01-27 01-30 02-02 02-05 02-08 02-11 02-14 02-17 02-20 02-23 02-26 02-29 03-03 03-06 03-09",
    "link": "01-27 01-30",
    "two orders": "01-27 01-30 02-02 02-05 02-08 02-11 02-14 02-17 02-20 02-23 02-26 02-29 03-03 03-06 03-09",
    "their second": "01-28 01-31 02-03 02-06 02-10 02-13 02-16 02-19 02-22 02-25 02-28 03-02 03-05 03-08",
    "client": "",
    "client again": "",
    "end of January": "02-01 02-04 02-07 02-10 02-13 02-16 02-19 02-22 02-25 02-28 03-02 03-05 03-08",
    "between": "02-02",
    "leap day": "02-29 03-03 03-06 03-09",
    "early on a ladder": "01-27 01-30 02-02 02-10 02-25",
    "late on a ladder": "01-28 01-31 02-03 02-10 02-26",
    "paid on a ladder": "01-31 02-03",
    "short ladder": "01-30 02-02",
    "discontinued": "02-04",
}
CANCELLED = {"early on a ladder": "02-28", "late on a ladder": "02-29", "short ladder": "02-05"}


@pytest.fixture
def people(database: Database, redis_server: EmbeddedRedis, run_folder: Path) -> Iterator[Play]:
    """A fleet with two beats on New Year's Day, before anybody has come."""
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.flushall()
    folder = run_folder / f"time-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    clock = Clock(folder / "clock")
    clock.set(moment("01-01 08:00"))
    given = bare_environment(os.environ) | SETTINGS
    given |= {"DATABASE_URL": database.url, "REDIS_URL": redis_server.url}
    stack = Stack(folder, given, ("ingress", "relay", "worker"), program=clock.program)
    for fleet in open_fleet(stack, database.owner_url):
        for name in BEATS:
            stack.spawn(name, "beat")
        fleet.wait_reachable()
        with (
            Shop(fleet.owner_url, stack.environment) as shop,
            psycopg.connect(dsn(fleet.owner_url), autocommit=True) as look,
        ):
            yield Play(fleet, clock, shop, look)


def _story(people: Play) -> list[Act]:
    return [
        ("01-26 08:15", lambda: people.comes("early", FLAT)),
        ("01-26 08:30", lambda: people.comes("early on a ladder", LADDER)),
        ("01-26 10:00", lambda: people.comes("late", FLAT)),
        ("01-26 10:15", lambda: people.comes("late on a ladder", LADDER, phone="+33639980102")),
        ("01-26 11:00", lambda: people.comes("link", FLAT, phone="+33639980101")),
        ("01-26 12:00", lambda: people.comes("two orders", FLAT)),
        ("01-26 12:30", lambda: people.orders_more("two orders", "their second", FLAT)),
        ("01-26 13:00", lambda: people.comes("client", FLAT)),
        ("01-26 13:30", lambda: people.pays("client")),
        ("01-26 14:00", lambda: people.orders_more("client", "client again", FLAT)),
        ("01-27 20:00", lambda: people.comes("short ladder", SHORT_LADDER)),
        ("01-29 20:00", lambda: people.comes("paid on a ladder", LADDER)),
        ("01-31 09:30", lambda: people.comes("end of January", FLAT)),
        ("02-01 10:00", lambda: people.comes("discontinued", SHORT_LADDER)),
        ("02-01 12:00", lambda: people.comes("between", FLAT)),
        # The session that the reminder came with has run out by then.
        ("02-01 15:00", lambda: people.follows("link")),
        ("02-01 15:01", lambda: people.pays("link")),
        ("02-03 15:00", lambda: people.pays("paid on a ladder")),
        ("02-04 15:00", lambda: people.follows("between")),
        ("02-05 08:58", lambda: people.looks_take_long("between")),
        ("02-05 09:00", lambda: people.pays_unheard("between")),
        ("02-05 10:00", lambda: people.discontinue(SHORT_LADDER)),
        ("02-08 22:00", people.beats_end),
        ("02-10 07:00", people.beats_come_back),
        ("02-28 23:59", lambda: people.comes("leap day", FLAT)),
    ]


def test_six_weeks(people: Play) -> None:
    people.run(FIRST, DAYS, _story(people))
    record = Record(people)

    assert {name: record.dates(name) for name in people.people} == DATES
    for name in DATES.keys() - {"two orders", "their second", "client again"}:
        assert record.mailed(name) == DATES[name], name
    both = f"{DATES['two orders']} {DATES['their second']}"
    assert record.mailed("two orders") == " ".join(sorted(both.split()))
    assert record.channels("early") == dict.fromkeys(("EMAIL", "IN_APP"), DATES["early"])
    on_a_phone = dict.fromkeys(("EMAIL", "IN_APP", "WHATSAPP"), DATES["late on a ladder"])
    assert record.channels("late on a ladder") == on_a_phone

    assert record.skipped() == {("between", 2, "paid")}
    assert record.paid() == {("link", 2), ("paid on a ladder", 2), ("between", 1)}
    for name in ("link", "paid on a ladder", "between"):
        assert record.categories(name)["WELCOME_BACK"] == 1, name
    assert record.categories("client")["WELCOME"] == 1
    assert record.cancelled() == CANCELLED
    for name in CANCELLED:
        # The card that was refused in the beginning, and no word of another failure beside the cancellation.
        assert record.categories(name)["PAYMENT_FAILED"] == 1, name
        assert record.categories(name)["ORDER_CANCELLED"] == 1, name
