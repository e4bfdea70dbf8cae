"""Whose message it is: what is sure is matched, and what is in doubt is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from db.queries.lookups import Unclaimed
from providers.base import MessageState
from services.notifications.matching import SKEW, match

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)


def attempt(seconds: float, delivery_id: UUID | None = None) -> Unclaimed:
    return Unclaimed(uuid4(), delivery_id or uuid4(), "+33639980001", NOW + timedelta(seconds=seconds))


def message(name: str, seconds: float) -> MessageState:
    return MessageState(name, "sent", created_at=NOW + timedelta(seconds=seconds))


def test_one_attempt_and_one_message_are_each_others() -> None:
    one = attempt(0)
    found = match([one], [message("a", 1)], set(), LEASE)
    assert [(a, m.message_id) for a, m in found.pairs] == [(one, "a")]
    assert found.certain


def test_what_is_known_or_of_another_time_or_of_none_is_nobodys() -> None:
    edge = (LEASE + SKEW).total_seconds()
    listed = [
        message("known", 1),
        message("early", -61),
        message("late", edge + 1),
        MessageState("x", "sent"),
    ]
    found = match([attempt(0)], listed, {"known"}, LEASE)
    assert (found.pairs, found.doubt) == ((), None)
    assert match([attempt(0)], [message("in time", edge)], set(), LEASE).pairs
    assert match([attempt(0)], [message("ahead of us", -60)], set(), LEASE).pairs


def test_a_message_too_many_is_a_doubt() -> None:
    found = match([attempt(0)], [message("a", 1), message("b", 2)], set(), LEASE)
    assert found.pairs == ()
    assert found.doubt == "2 messages may be those of 1 attempts: nobody can tell which"


def test_a_message_too_few_is_a_doubt_where_two_deliveries_may_have_it() -> None:
    found = match([attempt(0), attempt(5)], [message("a", 6)], set(), LEASE)
    assert found.pairs == ()
    assert found.doubt is not None


def test_one_message_is_enough_for_one_delivery() -> None:
    delivery_id = uuid4()
    first, second = attempt(0, delivery_id), attempt(80, delivery_id)
    ((later, _),) = match([first, second], [message("a", 100)], set(), LEASE).pairs
    assert later is second
    ((earlier, _),) = match([second, first], [message("a", 1)], set(), LEASE).pairs
    assert earlier is first


def test_as_many_messages_as_attempts_are_all_accepted_by_age() -> None:
    first, second = attempt(0), attempt(5)
    found = match([second, first], [message("b", 6), message("a", 1)], set(), LEASE)
    assert [(a, m.message_id) for a, m in found.pairs] == [(first, "a"), (second, "b")]
    assert not found.certain


def test_times_that_fit_nobody_are_a_doubt() -> None:
    found = match([attempt(0), attempt(200)], [message("a", 1), message("b", 2)], set(), LEASE)
    assert found.pairs == ()
    assert found.doubt == "the times of the messages do not fit those of the attempts"
