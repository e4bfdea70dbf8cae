from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules.when import Daily, Every, When

NINE = Daily(time(9))


def at(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


LATER = at("2030-01-01T00:00")


@pytest.mark.parametrize(
    ("last", "following"),
    [
        ("2026-11-21T08:59:59.9", "2026-11-21T09:00"),
        ("2026-11-21T09:00", "2026-11-22T09:00"),
        ("2026-11-21T23:30", "2026-11-22T09:00"),
        ("2026-04-30T09:00:01", "2026-05-01T09:00"),
        ("2027-02-28T10:00", "2027-03-01T09:00"),
        ("2028-02-28T10:00", "2028-02-29T09:00"),
        ("2026-12-31T12:00", "2027-01-01T09:00"),
        # Where Paris changes its clocks, UTC does not.
        ("2026-10-24T09:00:02", "2026-10-25T09:00"),
        ("2026-10-25T09:00:02", "2026-10-26T09:00"),
        ("2027-03-27T09:00:02", "2027-03-28T09:00"),
    ],
)
def test_daily(last: str, following: str) -> None:
    assert NINE.next_after(at(last), LATER) == at(following)


def test_daily_reads_a_time_in_any_zone_as_what_it_is_in_utc() -> None:
    paris = timezone(timedelta(hours=2))
    last = datetime(2026, 7, 2, 0, 30, tzinfo=paris)
    assert NINE.next_after(last, LATER) == at("2026-07-02T09:00")
    assert Daily(time(22, 15)).next_after(last, LATER) == at("2026-07-02T22:15")


@pytest.mark.parametrize(
    ("seconds", "last", "following"),
    [
        (5, "2026-11-21T08:00:00", "2026-11-21T08:00:05"),
        (5, "2026-11-21T08:00:04.9", "2026-11-21T08:00:05"),
        (600, "2026-11-30T23:52", "2026-12-01T00:00"),
        (3600, "2026-12-31T23:00:01", "2027-01-01T00:00"),
    ],
)
def test_every_so_often(seconds: int, last: str, following: str) -> None:
    assert Every(seconds).next_after(at(last), LATER) == at(following)


def test_every_needs_a_second() -> None:
    with pytest.raises(ValueError, match="one second at least, not 0"):
        Every(0)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (Every(5), "every 5 s"),
        (Every(90), "every 90 s"),
        (Every(600), "every 10 min"),
        (Every(3600), "every 1 h"),
        (NINE, "daily at 09:00 UTC"),
        (Daily(time(3, 5)), "daily at 03:05 UTC"),
    ],
)
def test_words(when: When, words: str) -> None:
    assert when.words == words


WHENS = st.one_of(
    st.integers(1, 90_000).map(Every), st.times().map(lambda t: Daily(t.replace(microsecond=0)))
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(when=WHENS, last=MOMENTS)
def test_the_next_time_is_within_a_period_and_no_time_is_left_out(when: When, last: datetime) -> None:
    following = when.next_after(last, last)
    assert last < following <= last + when.period
    assert when.next_after(following, last) == following + when.period
    just_before = following - timedelta(microseconds=1)
    assert when.next_after(just_before, last) == following


@given(when=WHENS, now=MOMENTS, ahead=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_last_run_in_the_future_stops_nothing_for_long(when: When, now: datetime, ahead: timedelta) -> None:
    following = when.next_after(now + ahead, now)
    assert following <= now + 2 * when.period
    if ahead > when.period:
        assert following == now
