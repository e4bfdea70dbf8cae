"""Quiet hours over a year, by the clocks of three zones, the nights included in which they are put."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.quiet import Quiet

# A clock that is put by an hour at night, one by an hour at another time of the year, one by half an hour.
ZONES = [ZoneInfo(name) for name in ("Europe/Paris", "America/New_York", "Australia/Lord_Howe")]
PARIS = ZONES[0]
NIGHT = Quiet(time(21), time(8))
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize(
    "quiet", [NIGHT, Quiet(time(22, 30), time(2, 15)), Quiet(time(12), time(14))], ids=str
)
def test_each_moment_of_a_year_waits_for_the_first_that_is_not_quiet(zone: ZoneInfo, quiet: Quiet) -> None:
    step, at, opens = timedelta(minutes=15), utc("2027-01-01T00:00"), None
    moments = [at + number * step for number in range(366 * 96)]
    for moment in reversed(moments):
        if not quiet.holds(moment, zone):
            opens = moment
            assert quiet.until(moment, zone) is None
        elif opens is not None:
            assert quiet.until(moment, zone) == opens, moment


@given(
    at=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds it
    quiet=st.builds(Quiet, st.times(), st.times()),
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=300, deadline=None)
def test_what_waits_waits_for_a_moment_that_is_to_come_and_not_quiet(
    at: datetime, quiet: Quiet, zone: ZoneInfo
) -> None:
    opens = quiet.until(at, zone)
    assert (opens is None) == (not quiet.holds(at, zone))
    if opens is not None:
        assert at < opens <= at + timedelta(days=2)
        assert not quiet.holds(opens, zone)


@pytest.mark.parametrize(
    ("quiet", "at", "opens"),
    [
        (NIGHT, "2027-03-27T21:30", "2027-03-28T06:00"),  # the clock is put forward: ten hours of night
        (NIGHT, "2027-10-30T20:30", "2027-10-31T07:00"),  # and back: twelve
        (Quiet(time(21), time(2, 30)), "2027-03-28T00:59", "2027-03-28T01:00"),  # 02:30 does not come
        (Quiet(time(21), time(2, 30)), "2027-10-31T00:10", "2027-10-31T00:30"),  # 02:30 comes twice
        (Quiet(time(21), time(2, 30)), "2027-10-31T01:10", "2027-10-31T01:30"),
        (
            Quiet(time(2, 50), time(2, 20)),
            "2027-03-28T00:30",
            "2027-03-29T00:20",
        ),  # all that was free is skipped
    ],
)
def test_in_the_nights_in_which_the_clock_is_put(quiet: Quiet, at: str, opens: str) -> None:
    assert quiet.until(utc(at), PARIS) == utc(opens)


def test_two_times_of_day_are_read() -> None:
    assert Quiet.read("21:00-08:00") == NIGHT
    assert Quiet.read("") is None
    for wrong in ("21:00", "25:00-08:00", "late-early"):
        with pytest.raises(ValueError, match="21:00-08:00"):
            Quiet.read(wrong)


def test_the_same_time_twice_is_no_time_at_all() -> None:
    assert Quiet(time(8), time(8)).until(utc("2027-01-01T07:00"), PARIS) is None
