"""The timetable kept by many at once: each period's run once, whoever dies, comes late or comes twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from db.queries import schedule
from schedules.standing import BEGIN_WITHIN, standing
from schedules.tick import Tick
from schedules.timetable import Entry
from schedules.when import Daily, Every
from tasks.running import RunError, Runner
from tests.notifications.pipeline import Clock, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session, sessionmaker

    from schedules.standing import Standing

LEASE = timedelta(minutes=1)
OFTEN = Entry("often", Every(5), "now and again")
DAILY = Entry("daily", Daily(time(9)), "once a day")
ENTRIES = (OFTEN, DAILY)


@dataclass
class Told:
    """A job that says what it is told to, and does meanwhile what it is given."""

    meanwhile: Callable[[Callable[[], bool]], object] = lambda _: None
    runs: int = 0

    def run(self, should_stop: Callable[[], bool]) -> str:
        self.runs += 1
        self.meanwhile(should_stop)
        return f"{self.runs} done"

    def preview(self) -> str:
        return f"{self.runs + 1} done"


@dataclass
class Works:
    """Ticks and workers on one database, with one clock."""

    sessions: sessionmaker[Session]
    clock: Clock
    calls: list[tuple[str, UUID]] = field(default_factory=list)
    jobs: dict[str, Told] = field(default_factory=lambda: {entry.name: Told() for entry in ENTRIES})
    stopping: bool = False

    @property
    def tick(self) -> Tick:
        return Tick(
            self.sessions, ENTRIES, self.clock, lambda _, name, claim: self.calls.append((name, claim))
        )

    @property
    def runner(self) -> Runner:
        leases = {entry.name: entry.lease for entry in ENTRIES}
        return Runner(self.sessions, self.jobs, leases, self.clock, lambda: self.stopping)

    def work_off(self) -> list[str | None]:
        """What workers make of all calls so far."""
        calls, self.calls = self.calls, []
        return [self.runner.run(name, claim) for name, claim in calls]

    def at(self, entry: Entry = OFTEN) -> Standing:
        with self.sessions() as session:
            return standing(entry, schedule.read(session).get(entry.name), self.clock())

    def row(self, entry: Entry = OFTEN) -> schedule.ScheduleRow:
        row = self.at(entry).row
        assert row is not None
        return row


@pytest.fixture
def works(sessions: sessionmaker[Session]) -> Works:
    """Seen by a tick, and nothing due before eight o'clock and five seconds."""
    works = Works(sessions, Clock(datetime(2026, 11, 22, 8, tzinfo=UTC)))
    assert works.tick() == []
    return works


def test_what_is_due_is_called_once_and_then_again_at_its_next_time(works: Works) -> None:
    assert works.tick() == []
    works.clock.forward(5)
    assert works.tick() == ["often"]
    assert works.tick() == []
    works.clock.forward(2)
    assert works.work_off() == ["1 done"]
    assert works.tick() == []
    works.clock.forward(2.9)
    assert works.tick() == []
    works.clock.forward(0.1)
    assert works.tick() == ["often"]


def test_many_ticks_at_once_call_once(works: Works) -> None:
    ticks, rounds = 4, 12
    barrier = Barrier(ticks)

    def beat() -> None:
        for _ in range(rounds):
            if barrier.wait(20) == 0:
                works.clock.forward(5)
            barrier.wait(20)
            works.tick()
            if barrier.wait(20) == 0:
                works.work_off()
            barrier.wait(20)

    with side_by_side(*[beat] * ticks):
        pass
    assert works.row().runs == works.jobs["often"].runs == rounds


def test_a_tick_that_was_slow_does_not_call_what_has_run_meanwhile(works: Works) -> None:
    works.clock.forward(5)
    with works.sessions() as session:
        seen = schedule.read(session)["often"]
    assert works.tick() == ["often"]
    works.work_off()
    with works.sessions.begin() as session:
        now = works.clock()
        assert schedule.claim(session, [(seen, uuid4())], now, now + BEGIN_WITHIN) == {}


def test_a_message_that_comes_twice_runs_once(works: Works) -> None:
    works.clock.forward(5)
    works.tick()
    works.calls *= 2
    assert works.work_off() == ["1 done", None]
    assert works.row().runs == 1


def test_a_message_that_comes_while_the_first_is_worked_off_runs_nothing(works: Works) -> None:
    works.clock.forward(5)
    works.tick()
    again = list(works.calls)
    works.jobs["often"].meanwhile = lambda _: second.extend([works.runner.run(*again[0]), *works.tick()])
    second: list[str | None] = []
    works.clock.forward(5)
    assert works.work_off() == ["1 done"]
    assert second == [None]


def test_a_lost_message_is_called_again_and_comes_too_late_itself(works: Works) -> None:
    works.clock.forward(5)
    works.tick()
    lost = works.calls.pop()
    works.clock.forward(BEGIN_WITHIN.total_seconds() - 0.1)
    assert works.tick() == []
    works.clock.forward(0.1)
    assert works.tick() == ["often"]
    assert works.at().late == BEGIN_WITHIN
    assert works.runner.run(*lost) is None
    assert works.work_off() == ["1 done"]


def test_a_worker_that_died_leaves_its_run_until_the_lease_ends(works: Works) -> None:
    works.clock.forward(3600)
    works.tick()
    claims = dict(works.calls)
    works.calls.clear()
    with works.sessions.begin() as session:
        now = works.clock()
        assert schedule.begin(session, "daily", claims["daily"], uuid4(), now, now + LEASE)
    works.clock.forward(59.9)
    assert "daily" not in works.tick()
    works.clock.forward(0.1)
    assert works.at(DAILY).broken_off
    assert "daily" in works.tick()
    works.work_off()
    assert works.row(DAILY).result == "1 done"
    assert works.at(DAILY).next_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_day_without_beat_is_one_run(works: Works) -> None:
    works.clock.forward(3 * 86400)
    assert works.tick() == ["often", "daily"]
    works.work_off()
    works.clock.forward(1)
    assert works.tick() == []
    assert [works.row(entry).runs for entry in ENTRIES] == [1, 1]
    assert works.at(DAILY).next_at == datetime(2026, 11, 25, 9, tzinfo=UTC)


def test_the_result_is_kept_and_how_long_it_took(works: Works) -> None:
    works.jobs["often"].meanwhile = lambda _: works.clock.forward(1.5)
    works.clock.forward(5)
    works.tick()
    works.work_off()
    row = works.row()
    assert (row.result, row.error, row.took) == ("1 done", None, timedelta(seconds=1.5))
    assert (row.claim, row.run, row.lease_until) == (None, None, None)


def test_an_error_is_kept_by_its_class_and_the_next_run_comes(works: Works) -> None:
    def fails(_: Callable[[], bool]) -> None:
        raise LookupError("camille@example.com")

    works.jobs["often"].meanwhile = fails
    works.clock.forward(5)
    works.tick()
    with pytest.raises(RunError, match=r"^often failed with LookupError$"):
        works.work_off()
    assert (works.row().result, works.row().error) == (None, "LookupError")
    works.jobs["often"].meanwhile = lambda _: None
    works.clock.forward(5)
    works.tick()
    assert works.work_off() == ["2 done"]
    assert works.row().error is None


def test_a_database_error_is_kept_by_what_the_database_said(works: Works) -> None:
    def fails(_: Callable[[], bool]) -> None:
        with works.sessions() as session:
            session.connection().exec_driver_sql("select 1 / 0")

    works.jobs["daily"].meanwhile = fails
    with pytest.raises(RunError, match="DivisionByZero"):
        works.runner.run_now("daily")
    works.clock.forward(299)
    assert "daily" not in works.tick()
    works.clock.forward(1)
    assert "daily" in works.tick()


def test_an_operator_who_gives_up_leaves_nothing_behind(works: Works) -> None:
    def interrupted(_: Callable[[], bool]) -> None:
        raise KeyboardInterrupt

    works.jobs["often"].meanwhile = interrupted
    with pytest.raises(KeyboardInterrupt):
        works.runner.run_now("often")
    assert (works.row().run, works.row().error) == (None, "KeyboardInterrupt")


def test_a_run_that_asks_keeps_its_lease_however_long_it_takes(works: Works) -> None:
    asked: list[bool] = []

    def takes_long(should_stop: Callable[[], bool]) -> None:
        for _ in range(10):
            works.clock.forward(25)
            asked.append(should_stop())
            assert works.tick() == []

    works.jobs["often"].meanwhile = takes_long
    works.clock.forward(5)
    works.tick()
    assert works.work_off() == ["1 done"]
    assert asked == [False] * 10
    assert works.row().took == timedelta(seconds=250)


def test_a_run_that_was_overtaken_stops_and_says_nothing(works: Works) -> None:
    stopped: list[bool] = []

    def overtaken(should_stop: Callable[[], bool]) -> None:
        works.jobs["often"].meanwhile = lambda _: None
        works.clock.forward(61)
        assert works.tick() == ["often"]
        assert works.work_off() == ["2 done"]
        stopped.append(should_stop())

    works.jobs["often"].meanwhile = overtaken
    works.clock.forward(5)
    works.tick()
    works.work_off()
    assert stopped == [True]
    assert works.row().result == "2 done"


def test_a_run_that_comes_to_its_end_after_all_counts(works: Works) -> None:
    def slow(_: Callable[[], bool]) -> None:
        works.clock.forward(61)
        assert works.tick() == ["often"]

    works.jobs["often"].meanwhile = slow
    works.clock.forward(5)
    works.tick()
    assert works.work_off() == ["1 done"]
    assert works.work_off() == [None]
    assert works.row().runs == 1


def test_what_a_stopping_worker_left_is_due_at_once(works: Works) -> None:
    works.jobs["daily"].meanwhile = lambda should_stop: should_stop()
    works.clock.forward(3600)
    works.tick()
    works.stopping = True
    works.work_off()
    works.stopping = False
    works.clock.forward(1)
    at = works.at(DAILY)
    assert (at.broken_off, at.running) == (True, False)
    assert at.row is not None
    assert at.row.result == "1 done"
    assert works.tick() == ["daily"]
    works.work_off()
    assert not works.at(DAILY).broken_off


def test_a_run_by_hand_is_a_run_as_any_other(works: Works) -> None:
    inside: list[object] = []
    works.jobs["often"].meanwhile = lambda _: inside.extend(
        [works.at().running, works.runner.run_now("often"), *works.tick()]
    )
    works.clock.forward(5)
    assert works.runner.run_now("often") == "1 done"
    assert inside == [True, None]
    assert works.tick() == []
    assert works.row().runs == 1
    with pytest.raises(ValueError, match="there is no job never; there are daily, often"):
        works.runner.run_now("never")


def test_by_hand_before_beat_ever_ticked(sessions: sessionmaker[Session], clock: Clock) -> None:
    assert Works(sessions, clock).runner.run_now("daily") == "1 done"


def test_somebody_elses_clock_ahead_calls_nothing_twice(works: Works) -> None:
    works.clock.forward(5)
    works.tick()
    works.clock.forward(-0.5)
    works.work_off()
    works.clock.forward(0.6)
    assert works.tick() == []


def test_a_tick_that_finds_nothing_due_reads_once_and_writes_nothing(works: Works) -> None:
    statements: list[str] = []
    engine = works.sessions.kw["bind"]
    event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement.strip())
    )
    assert works.tick() == []
    assert len(statements) == 1
    assert statements[0].startswith("select name")
