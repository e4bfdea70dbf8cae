"""Many who hear of one order at once, and whoever dies over it: one dossier, and each event once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from services.payments.applying import Learned, Outcome, apply
from tests.payments.till import (
    NOW,
    PRICE,
    SETTLED_EVENTS,
    STEPS,
    Standing,
    declined,
    expired,
    given_back,
    opened,
    paid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

    from providers.payments import Checkout
    from tests.payments.till import Till

AT_ONCE = 20
PAID = Standing("PAID", "ACTIVE", 1, STEPS, SETTLED_EVENTS)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, pool_size=AT_ONCE)
    yield engine
    engine.dispose()


def all_at_once(engine: Engine, snapshots: Sequence[Checkout]) -> list[Outcome]:
    """Apply each in a thread of its own, at the same moment."""
    sessions, ready = sessionmaker(engine), Barrier(len(snapshots))

    def take(number: int) -> Outcome:
        with sessions.begin() as session:
            session.connection()
            ready.wait(20)
            learned = list(Learned)[number % len(Learned)]
            return apply(session, snapshots[number], learned, NOW).outcome

    with ThreadPoolExecutor(len(snapshots)) as pool:
        return list(pool.map(take, range(len(snapshots))))


def test_twenty_who_hear_of_one_payment_settle_it_once(till: Till, engine: Engine) -> None:
    client = till.register()

    outcomes = all_at_once(engine, [paid(opened_once := opened(client))] * AT_ONCE)

    assert sorted(outcomes) == [Outcome.ALREADY] * (AT_ONCE - 1) + [Outcome.SETTLED]
    assert till.standing(client) == PAID
    assert till.take(paid(opened_once)).outcome == Outcome.ALREADY


@pytest.mark.parametrize("seed", range(3))
def test_of_what_was_said_before_the_payment_nothing_is_left(till: Till, engine: Engine, seed: int) -> None:
    client = till.register()
    session = opened(client)
    said = [session, declined(session), expired(opened(client)), paid(session)]
    snapshots = [*said, paid(session)] * (AT_ONCE // 5)
    random.Random(seed).shuffle(snapshots)  # noqa: S311 - any order does

    outcomes = all_at_once(engine, snapshots)

    assert outcomes.count(Outcome.SETTLED) == 1
    failures = outcomes.count(Outcome.FAILED)
    assert failures <= 1
    events = {**SETTLED_EVENTS, **({"PAYMENT_FAILED": 1} if failures else {})}
    assert till.standing(client) == Standing("PAID", "ACTIVE", 1, STEPS, events)


def test_two_sessions_paid_at_once_leave_one_dossier_and_a_finding(till: Till, engine: Engine) -> None:
    client = till.register()
    one, other = paid(opened(client)), paid(opened(client))

    outcomes = all_at_once(engine, [one, other] * (AT_ONCE // 2))

    assert outcomes.count(Outcome.SETTLED) == 1
    assert till.standing(client) == Standing(
        "PAID", "ACTIVE", 1, STEPS, SETTLED_EVENTS, findings={"SECOND_PAYMENT": 1}
    )


def test_one_customer_of_many_profiles_belongs_to_one(till: Till, engine: Engine) -> None:
    clients = [till.register() for _ in range(8)]
    customer = f"cus_shared_{clients[0].order_id.hex}"
    said = [replace(paid(opened(client)), customer_id=customer) for client in clients]

    assert set(all_at_once(engine, said)) == {Outcome.SETTLED}
    assert len(till.rows("select from profiles where stripe_customer_id = :id", id=customer)) == 1


def test_one_payment_named_by_two_orders_settles_one(till: Till, engine: Engine) -> None:
    one, other = till.register(), till.register()
    checkout = paid(opened(one, user_id=None))
    marked = replace(checkout, metadata={"order_id": str(other.order_id)})

    outcomes = all_at_once(engine, [checkout, marked] * 4)

    assert outcomes.count(Outcome.SETTLED) == 1
    assert sorted([till.standing(one).order, till.standing(other).order]) == ["PAID", "PENDING"]


def test_two_orders_of_one_client_end_active_in_any_order(till: Till, engine: Engine) -> None:
    for _ in range(3):
        client = till.register()
        other = till.another_order(client)
        failing = declined(opened(other))

        all_at_once(engine, [paid(opened(client)), failing, expired(failing)])

        assert till.standing(client).profile == "ACTIVE"
        assert till.standing(other).order == "PENDING"


@dataclass(eq=False)
class Death:
    """Drops the line before the statement of a number, or before the commit that follows the last one."""

    at: int
    seen: int = 0
    died: bool = False

    def __call__(self, connection: Connection, *_: Any) -> None:
        if self.seen == self.at:
            self.died = True
            driver: Any = connection.connection.dbapi_connection
            driver.close()
        self.seen += 1


LIVES: dict[str, Callable[[Checkout], Checkout]] = {
    "settle": paid,
    "settle and refund": lambda session: given_back(paid(session)),
    "decline": declined,
    "expire": expired,
    "mismatch": lambda session: paid(session, received=PRICE - 1),
}
ENDS = {
    "settle": PAID,
    "settle and refund": Standing("REFUNDED", "ACTIVE", 1, STEPS, SETTLED_EVENTS, notices=1),
    "decline": Standing("PENDING", "SUSPENDED", events={"PAYMENT_FAILED": 1}),
    "expire": Standing("PENDING", "SUSPENDED"),
    "mismatch": Standing("PENDING", "PENDING", findings={"AMOUNT_MISMATCH": 1}),
}


@pytest.mark.parametrize("life", sorted(LIVES))
def test_a_death_at_any_statement_leaves_nothing_and_is_made_good(
    till: Till, database_url: str, life: str
) -> None:
    deaths = 0
    while True:
        client = till.register()
        checkout = LIVES[life](opened(client))
        death = Death(deaths)
        engine = make_engine(database_url, pool_size=1)
        event.listen(engine, "before_cursor_execute", death)
        event.listen(engine, "commit", death)
        with suppress(DBAPIError), sessionmaker(engine).begin() as session:
            apply(session, checkout, Learned.WEBHOOK, NOW)
        engine.dispose()
        if not death.died:
            break
        assert till.standing(client) == Standing("PENDING", "PENDING"), f"after statement {deaths}"

        till.take(checkout)
        till.take(checkout)

        assert replace(till.standing(client), refunded={}) == ENDS[life]
        deaths += 1
    assert deaths >= 5
