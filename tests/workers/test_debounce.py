from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workers.debounce import Debounce

WINDOW = 0.5


def test_the_first_goes_at_once() -> None:
    debounce = Debounce(WINDOW)
    assert debounce.hit("email", 10.0)
    assert debounce.next_at() is None


def test_those_within_the_window_become_one_at_its_end() -> None:
    debounce = Debounce(WINDOW)
    assert debounce.hit("email", 10.0)
    assert not any(debounce.hit("email", 10.0 + n / 100) for n in range(1, 20))
    assert debounce.next_at() == 10.5
    assert debounce.ready(10.4) == []
    assert debounce.ready(10.5) == ["email"]
    assert debounce.ready(20.0) == []
    assert debounce.next_at() is None


def test_one_that_was_held_counts_as_published() -> None:
    debounce = Debounce(WINDOW)
    debounce.hit("email", 10.0)
    debounce.hit("email", 10.1)
    debounce.ready(10.5)
    assert not debounce.hit("email", 10.9)
    assert debounce.next_at() == 11.0


def test_a_late_look_publishes_what_was_held_and_what_has_just_come_once() -> None:
    debounce = Debounce(WINDOW)
    debounce.hit("email", 10.0)
    debounce.hit("email", 10.1)
    assert debounce.hit("email", 11.0)
    assert debounce.ready(11.0) == []


def test_queues_do_not_hold_each_other_up() -> None:
    debounce = Debounce(WINDOW)
    assert debounce.hit("email", 10.0)
    assert debounce.hit("fanout", 10.1)
    debounce.hit("fanout", 10.2)
    debounce.hit("email", 10.3)
    assert debounce.next_at() == 10.5
    assert debounce.ready(10.7) == ["email", "fanout"]


# Sixty-fourths of a second add up without a rounding.
steps = st.lists(st.tuples(st.sampled_from(["email", "fanout"]), st.integers(0, 100), st.booleans()))


@given(steps=steps, start=st.integers(0, 10**6))
def test_no_two_wake_ups_within_the_window_and_none_lost(
    steps: list[tuple[str, int, bool]], start: int
) -> None:
    debounce, now = Debounce(WINDOW), start / 64
    hits, published = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for queue, pause, looks in steps:
        now += pause / 64
        if looks:
            for name in debounce.ready(now):
                published[name].append(now)
        hits[queue].append(now)
        if debounce.hit(queue, now):
            published[queue].append(now)
    while (due := debounce.next_at()) is not None:
        now = max(now, due)
        ready = debounce.ready(now)
        assert ready, "what is due at its time is ready at its time"
        for name in ready:
            published[name].append(now)
    for queue, times in published.items():
        assert all(later - earlier >= WINDOW for earlier, later in pairwise(times))
        assert times[-1] >= hits[queue][-1]
    assert published.keys() == hits.keys()
