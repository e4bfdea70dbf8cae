"""How often an order is reminded of, as it is written down and read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.payments.ladder import FLAT, ReminderPolicy, read_ladder, read_ladders


def test_days_that_grow() -> None:
    assert read_ladder("1,4,7,14,30") == (1, 4, 7, 14, 30)
    assert read_ladder("2") == (2,)
    assert read_ladder("") == FLAT


@pytest.mark.parametrize("given", ["0,1", "4,1", "1,1", "1, 4", "1;4", "one", "-1", "1,", "1000", "1.5"])
def test_what_is_no_ladder(given: str) -> None:
    with pytest.raises(ValueError, match="days that grow, by comma, such as 1,4,7,14,30"):
        read_ladder(given)


def test_ladders_by_product() -> None:
    assert read_ladders("") == {}
    assert read_ladders("LLC_FORMATION=1,4,7; BANKING=-") == {"LLC_FORMATION": (1, 4, 7), "BANKING": FLAT}


@pytest.mark.parametrize(
    "given", ["LLC_FORMATION", "=1,4", "A=", "A=1;A=2", "A=1;;B=2", ";", "A=4,1", "A=--"]
)
def test_what_are_no_ladders(given: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        read_ladders(given)


def test_which_reminder_is_the_last() -> None:
    policy = ReminderPolicy(most=2, ladder=(1, 4, 7), ladders={"BANKING": FLAT, "VISA": (5,)})
    assert [policy.ends_with("LLC_FORMATION", number) for number in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    assert [policy.ends_with("BANKING", number) for number in (1, 2, 3)] == [False, True, True]
    assert policy.ends_with("VISA", 1)
    assert not ReminderPolicy().ends_with("BANKING", 1000), "until it is paid"


def test_three_days_are_three_daily_runs() -> None:
    assert ReminderPolicy(interval=timedelta(days=3)).pause == timedelta(hours=71)
