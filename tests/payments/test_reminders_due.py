"""Which orders are reminded of on which day, as one statement finds and claims them."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from db.queries import reminder_history, reminders
from services.payments.ladder import FLAT as NO_LADDER
from services.payments.ladder import ReminderPolicy, terms
from services.payments.objections import Refusal, objections
from tests.notifications.pipeline import never, side_by_side
from tests.payments.desk import FLAT, LADDER, desk, stripe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from tests.payments.desk import Desk
    from workers.dev.application import Client

__all__ = ["desk", "stripe"]  # fixtures

JANUARY = datetime(2027, 1, 25, 9, tzinfo=UTC)
"""The month ends on the way."""


@dataclass
class Days:
    """Daily runs at nine, by an injected clock, and what they have claimed."""

    desk: Desk

    def __post_init__(self) -> None:
        self.desk.clock.now = JANUARY
        self.chance = random.Random(7)  # noqa: S311 - it spreads, and guards nothing

    def run(
        self, policy: ReminderPolicy, days: int, *, without: tuple[int, ...] = ()
    ) -> dict[UUID, dict[int, int]]:
        """On which day, from the first, each order was reminded of, by number; beat is away on some."""
        found: dict[UUID, dict[int, int]] = defaultdict(dict)
        for day in range(days):
            if day in without:
                continue
            self.desk.clock.now = JANUARY + timedelta(days=day, seconds=self.chance.uniform(0, 300))
            self.desk.reminders(policy).claim(never)
            for row in self.desk.rows("select order_id, number from fleet.reminders where state = 'CLAIMED'"):
                found[row.order_id][row.number] = day
            self.send()
        return dict(found)

    def send(self) -> None:
        """As it goes out a little later, on two channels."""
        sent_at = self.desk.clock.now + timedelta(minutes=self.chance.uniform(0, 40))
        self.desk.change(
            "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
            " select user_id, order_id, channel, :at from fleet.reminders,"
            "   unnest('{EMAIL,IN_APP}'::notification_channel[]) channel where state = 'CLAIMED'",
            at=sent_at,
        )
        self.desk.change(
            "update fleet.reminders set state = 'SENT', sent_at = :at where state = 'CLAIMED'", at=sent_at
        )


def made(desk: Desk, at: datetime, product: str = "LLC_FORMATION") -> Client:
    """A suspended client whose order was made then."""
    client = desk.client(product=product, opened=False)
    desk.change("update orders set created_at = :at where id = :id", at=at, id=client.order_id)
    return client


def numbered(*days: int) -> dict[int, int]:
    return dict(enumerate(days, 1))


def test_flat_every_three_days_until_it_is_paid(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(days=1))
    assert days.run(FLAT, 45)[client.order_id] == numbered(*range(0, 45, 3))


def test_flat_a_day_without_beat_moves_the_rest_and_there_is_no_burst(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(days=1))
    assert days.run(FLAT, 14, without=(3, 7, 8))[client.order_id] == numbered(0, 4, 9, 12)


def test_flat_as_often_as_is_set(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(days=1))
    assert days.run(ReminderPolicy(interval=timedelta(days=2), most=3), 20)[client.order_id] == numbered(
        0, 2, 4
    )
    assert [row.last for row in desk.reminded(client)] == [False, False, True]


def test_up_the_ladder_by_the_days_since_the_order(desk: Desk) -> None:
    days = Days(desk)
    early, late = made(desk, JANUARY - timedelta(hours=2)), made(desk, JANUARY + timedelta(hours=1))
    found = days.run(ReminderPolicy(ladder=(1, 4, 7, 14, 30)), 45)
    assert found[early.order_id] == numbered(1, 4, 7, 14, 30)
    assert found[late.order_id] == numbered(2, 5, 8, 15, 31)
    assert [row.last for row in desk.reminded(early)] == [False, False, False, False, True]


def test_up_the_ladder_a_missed_day_is_caught_up_the_next(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(hours=2))
    assert days.run(LADDER, 12, without=(1, 7))[client.order_id] == numbered(2, 4, 8)


def test_days_without_beat_are_caught_up_one_a_day(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(hours=2))
    assert days.run(LADDER, 12, without=tuple(range(8)))[client.order_id] == numbered(8, 9, 10)


def test_each_product_has_its_own_ladder(desk: Desk) -> None:
    days = Days(desk)
    codes = [row.code for row in desk.rows("select code from products where active order by code limit 3")]
    clients = [made(desk, JANUARY - timedelta(hours=2), product=code) for code in codes]
    policy = ReminderPolicy(ladder=(2,), ladders={codes[0]: (1, 3), codes[1]: NO_LADDER})
    found = days.run(policy, 8)
    assert [found[client.order_id] for client in clients] == [numbered(1, 3), numbered(0, 3, 6), numbered(2)]


def test_a_ladder_put_up_after_flat_reminders_sends_its_last_rung_once(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(days=20))
    days.run(FLAT, 12)
    found = days.run(LADDER, 16, without=tuple(range(12)))
    assert found[client.order_id] == {5: 12}
    assert [row.last for row in desk.reminded(client)] == [False] * 4 + [True]


def test_one_person_is_reminded_of_one_order_a_day_the_oldest_first(desk: Desk) -> None:
    days = Days(desk)
    client = made(desk, JANUARY - timedelta(days=5))
    others = [desk.another_order(client, age) for age in (4, 3)]
    found = days.run(FLAT, 7)
    assert found == {
        client.order_id: numbered(0, 3, 6),
        others[0]: numbered(1, 4),
        others[1]: numbered(2, 5),
    }


@pytest.mark.parametrize(
    "change",
    [
        "update profiles set status = 'ACTIVE'",
        "update profiles set status = 'PENDING'",
        "update orders set status = 'PAID'",
        "update orders set status = 'CANCELLED'",
        "update orders set status = 'FAILED'",
        "update products set active = false",
    ],
)
@pytest.mark.parametrize("policy", [FLAT, LADDER], ids=["flat", "ladder"])
def test_who_is_not_due(desk: Desk, policy: ReminderPolicy, change: str) -> None:
    desk.client(opened=False)
    desk.change(change)
    assert desk.reminders(policy).preview() == []
    assert desk.reminders(policy).claim(never) == 0
    desk.change("update products set active = true")


def test_what_the_application_has_sent_counts(desk: Desk) -> None:
    client = desk.client(opened=False)
    told(desk, client, hours=70)
    assert desk.reminders().claim(never) == 0
    desk.clock.forward(3600)
    assert desk.reminders().claim(never) == 1


def test_on_a_ladder_what_the_application_has_sent_counts_for_a_day(desk: Desk) -> None:
    client = desk.client(opened=False)
    told(desk, client, hours=19.5)
    assert desk.reminders(LADDER).claim(never) == 0
    desk.clock.forward(3600)
    assert desk.reminders(LADDER).claim(never) == 1


def test_one_that_is_on_its_way_is_not_followed_by_another(desk: Desk) -> None:
    client = desk.client(opened=False)
    desk.another_order(client, 9)
    assert desk.reminders().claim(never) == 1
    desk.clock.forward(10 * 86_400)
    assert desk.reminders().claim(never) == 0, "neither of this order nor of another of the person"
    desk.change("update fleet.reminders set parked_at = now()")
    assert desk.reminders().claim(never) == 1, "of the other, while that one waits for a person's word"


def test_what_was_not_sent_is_not_tried_again_at_once(desk: Desk) -> None:
    client = desk.client(opened=False)
    for policy in (FLAT, LADDER):
        desk.change("delete from fleet.reminders")
        desk.reminders(policy).claim(never)
        desk.change("update fleet.reminders set state = 'SKIPPED', reason = 'x', last = false")
        desk.clock.forward(2 * 86_400)
        assert desk.reminders(policy).claim(never) == 0
        desk.clock.forward(86_400)
        assert desk.reminders(policy).claim(never) == 1
    assert [row.number for row in desk.reminded(client)] == [1, 2]


def test_a_preview_is_what_is_claimed(desk: Desk) -> None:
    clients = [desk.client(opened=False, days=days) for days in (3, 9, 6)]
    listed = desk.reminders(LADDER).preview()
    assert [(one.order_id, one.number, one.last) for one in listed] == [
        (clients[index].order_id, 1, False) for index in (1, 2, 0)
    ]
    assert [one.order_id for one in desk.reminders(LADDER).preview(limit=1)] == [clients[1].order_id]
    assert desk.reminders(LADDER).claim(never) == 3
    assert desk.reminders(LADDER).preview() == []


def test_two_who_claim_at_once_claim_each_once(desk: Desk) -> None:
    for _ in range(20):
        client = desk.client(opened=False)
        desk.another_order(client, 5)
    counts: list[int] = []

    def claim() -> None:
        counts.append(desk.reminders().claim(never))

    with side_by_side(*[claim] * 4):
        pass
    assert sum(counts) == 20
    assert desk.scalar("select count(distinct user_id) from fleet.reminders") == 20


def test_the_relay_is_told_when_there_is_something_to_send(desk: Desk) -> None:
    with desk.application() as session:
        session.execute(text("listen fleet"))
        session.commit()
        raw = session.connection().connection.dbapi_connection
        assert raw is not None
        desk.reminders().claim(never)
        assert list(raw.notifies(timeout=0.05)) == []
        desk.client(opened=False)
        list(raw.notifies(timeout=0.05))
        desk.reminders().claim(never)
        (heard,) = raw.notifies(timeout=2, stop_after=1)
        assert (heard.channel, heard.payload) == ("fleet", "reminders")


@pytest.mark.parametrize("seed", range(3))
def test_the_words_for_one_order_and_the_statement_for_all_have_the_same_rules(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - as above
    codes = [
        "LLC_FORMATION",
        *(row.code for row in desk.rows("select code from products order by code limit 2")),
    ]
    policy = ReminderPolicy(most=3, ladders={codes[1]: (1, 4, 7)})
    for _ in range(60):
        mixed(desk, chance, chance.choice(codes))
    desk.change("update products set active = false where code = :code", code=codes[2])
    with desk.sessions() as session:
        now = desk.clock.now
        claimable = {one.order_id: one for one in reminders.preview(session, terms(policy, now), 1000)}
        free: dict[UUID, Any] = {}
        for row in desk.rows("select id from orders order by created_at desc, id desc"):
            history = reminder_history.of_order(session, row.id)
            assert history is not None
            if not list(objections(history, policy, now)):
                free[history.user_id] = history  # of several, the oldest is left
    desk.change("update products set active = true")
    assert claimable.keys() == {history.order_id for history in free.values()}
    for history in free.values():
        one = claimable[history.order_id]
        last = policy.ends_with(history.product_code, history.number)
        assert (one.number, one.last) == (history.number, last)
    assert 3 < len(claimable) < 50


def mixed(desk: Desk, chance: random.Random, product: str) -> None:
    """Somebody with one order or two, reminded of in one way or another."""
    client = desk.client(days=chance.uniform(0, 12), product=product, opened=False)
    orders = [client.order_id]
    if chance.random() < 0.4:
        orders.append(desk.another_order(client, chance.uniform(0, 12)))
    if chance.random() < 0.1:
        desk.change("update profiles set status = 'ACTIVE' where id = :id", id=client.user_id)
    for order_id in orders:
        status = chance.choices(["PENDING", "PAID", "CANCELLED"], [8, 1, 1])[0]
        desk.change(
            "update orders set status = cast(:status as order_status) where id = :id",
            status=status,
            id=order_id,
        )
        for number in range(1, chance.choice([1, 1, 2, 3, 5])):
            reminder(desk, client, order_id, number, chance)
        if chance.random() < 0.2:
            told(desk, client, hours=chance.uniform(0, 100), order_id=order_id)


def reminder(desk: Desk, client: Client, order_id: UUID, number: int, chance: random.Random) -> None:
    at = desk.clock.now - timedelta(hours=chance.uniform(0, 200))
    state = chance.choices(["SENT", "SKIPPED", "CLAIMED"], [7, 2, 1])[0]
    desk.change(
        "insert into fleet.reminders (order_id, number, user_id, last, claimed_at, due_at, state, amount,"
        " currency, sent_at, parked_at) values (:order, :number, :user, :last, :at, :at, :state, 1, 'USD',"
        " case when :state = 'SENT' then cast(:sent as timestamptz) end,"
        " case when :state = 'CLAIMED' and :parked then cast(:sent as timestamptz) end)",
        order=order_id,
        number=number,
        user=client.user_id,
        last=chance.random() < 0.2 and state != "SKIPPED",
        at=at,
        state=state,
        sent=at + timedelta(minutes=chance.uniform(0, 90)),
        parked=chance.random() < 0.5,
    )


def told(desk: Desk, client: Client, *, hours: float, order_id: UUID | None = None) -> None:
    """The application has sent one by itself, so long ago."""
    desk.change(
        "insert into payment_reminders (user_id, order_id, sent_via, sent_at)"
        " values (:user, :order, 'EMAIL', :at)",
        user=client.user_id,
        order=order_id or client.order_id,
        at=desk.clock.now - timedelta(hours=hours),
    )


def test_why_not(desk: Desk) -> None:
    client = desk.client(opened=False, days=2)
    told(desk, client, hours=1)
    desk.change("update profiles set status = 'ACTIVE'")
    with desk.sessions() as session:
        history = reminder_history.of_order(session, client.order_id)
    assert history is not None
    found: Mapping[Refusal, str] = {
        each.refusal: each.words for each in objections(history, FLAT, desk.clock.now)
    }
    assert found == {
        Refusal.NOT_SUSPENDED: "the person is not SUSPENDED",
        Refusal.TOO_SOON: "it was reminded of 1 hour ago, and 3 days are to lie between",
        Refusal.RESTING: "the person is being reminded, or was within 20 hours",
    }
