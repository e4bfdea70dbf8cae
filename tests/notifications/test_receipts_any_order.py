"""In whatever order, however often and in however many pieces: it ends where the order of time does."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.notifications.told import Told, again, says

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.notifications.told import Made
    from workers.dev.application import Client

EVENTS = {
    "EMAIL": ("processed", "deferred", "delivered", "open", "click", "dropped", "bounce", "unsubscribe"),
    "SMS": ("queued", "sent", "delivered", "undelivered", "failed"),
    "WHATSAPP": ("queued", "sent", "delivered", "read", "failed"),
}
OUTCOMES = (
    ("ACCEPTED",),
    (None,),
    ("NO_EVIDENCE", "ACCEPTED"),
    ("NO_EVIDENCE", None),
    ("DEFERRED", "ACCEPTED"),
)
CODES = ("30003", "30005", "")
IN_ORDER = 50
"""Told at once of those that come in the order of time."""

Said = tuple[int, int, str, int, str]
"""Which delivery, which of its attempts, what, at which minute, with which code."""


@pytest.fixture
def told(
    sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock, client: Client
) -> Told:
    clock.now = clock.now.replace(microsecond=0)
    return Told(sessions, application, clock, client.user_id)


def callbacks(made: Sequence[Made], said: Sequence[Said]) -> list[dict[str, object]]:
    def callback(which: int, number: int, event: str, minute: int, code: str) -> dict[str, object]:
        at = made[which].opened_at - timedelta(minutes=100 - minute)
        of = number % len(made[which].tokens)
        return says(made[which], event, at, of, ErrorCode=code, status=code, minute=minute)

    return [callback(*each) for each in said]


@st.composite
def stories(
    draw: st.DrawFn,
) -> tuple[list[tuple[str, tuple[str | None, ...]]], list[Said], list[Said], list[int]]:
    """Deliveries, what is said in the order of time, the same shuffled with repeats, and the pieces."""
    deliveries = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(EVENTS)), st.sampled_from(OUTCOMES)), min_size=1, max_size=2
        )
    )
    said: list[Said] = []
    for which, (channel, _) in enumerate(deliveries):
        said += draw(
            st.lists(
                st.tuples(
                    st.just(which),
                    st.integers(0, 1),
                    st.sampled_from(EVENTS[channel]),
                    st.integers(0, 5),
                    st.sampled_from(CODES),
                ),
                max_size=4,
            )
        )
    in_order = sorted(said, key=lambda each: each[3])
    repeats = draw(st.lists(st.sampled_from(said), max_size=5)) if said else []
    shuffled = draw(st.permutations(said + repeats))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    return deliveries, in_order, shuffled, cuts


def test_any_order_ends_where_the_order_of_time_does(told: Told) -> None:
    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(stories())
    def check(story: Any) -> None:
        deliveries, in_order, shuffled, cuts = story
        by_time, by_chance = told.make_many(deliveries), told.make_many(deliveries)
        for each in callbacks(by_time, in_order):
            told.tell(each)
        copies = [again(each, number) for number, each in enumerate(callbacks(by_chance, shuffled))]
        for since, until in zip([0, *cuts], [*cuts, len(copies)], strict=True):
            told.tell(*copies[since:until])
        assert told.standing(by_time) == told.standing(by_chance)

    check()


def test_a_storm_of_a_thousand_ends_where_the_order_of_time_does(told: Told) -> None:
    storm(told, receipts=1000)


def storm(told: Told, receipts: int) -> float:
    """Tell receipts in order, and those of other attempts shuffled and thrice; give the seconds of these."""
    chance = random.Random(receipts)  # noqa: S311 - any storm does
    deliveries = [(chance.choice(sorted(EVENTS)), chance.choice(OUTCOMES)) for _ in range(receipts // 4)]
    in_order = sorted(
        (
            (
                which,
                chance.randrange(2),
                chance.choice(EVENTS[deliveries[which][0]]),
                minute,
                chance.choice(CODES),
            )
            for which in range(len(deliveries))
            for minute in chance.sample(range(30), 4)
        ),
        key=lambda said: said[3],
    )
    by_time, by_chance = told.make_many(deliveries), told.make_many(deliveries)
    ordered = callbacks(by_time, in_order)
    for since in range(0, len(ordered), IN_ORDER):
        told.tell(*ordered[since : since + IN_ORDER])
    copies = [again(each, copy) for copy in range(3) for each in callbacks(by_chance, in_order)]
    chance.shuffle(copies)
    told.hear(*copies)
    began = time.monotonic()
    told.work_off()
    seconds = time.monotonic() - began
    assert told.rows("select from fleet.inbox where handled_at is null") == []
    assert told.standing(by_time) == told.standing(by_chance)
    return seconds
