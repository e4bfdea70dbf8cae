"""Any task run by hand: here and now, rehearsed, or handed to the workers. Who did is recorded."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from db.queries import interventions, queues
from db.queries import schedule as rows
from schedules.standing import is_due, standing
from schedules.timetable import timetable
from services.payments.asking import NothingToAskError
from services.payments.words import Learned
from tasks import byhand
from tasks import schedule as scheduled
from tasks.notifications import DrainError
from tasks.running import RunError
from workers.bootstrap import make_fleet
from workers.celery_app import make_app
from workers.clock import utc_now
from workers.ops.calling import Call
from workers.payments import make_payments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from db.queries.interventions import By
    from schedules.timetable import Entry
    from tasks.catalogue import Described
    from tasks.running import Runner
    from workers.bootstrap import Fleet
    from workers.runnable import Wanted
    from workers.settings import Settings


class NotRunError(Exception):
    """A task that was not run, or not to its end; the text says why, and the mend."""


class NotRehearsedError(Exception):
    """A task of which nobody can say what it would do; the text says what tells instead."""


def run(wanted: Wanted, settings: Settings, by: By) -> str:
    """Run it in this process.

    Returns:
        What came of it.

    Raises:
        NotRunError: It failed, or somebody else is at it.
        ProviderError: Stripe did not answer.
    """
    with _fleet(settings) as fleet:
        if wanted.entry is not None:
            return _run_entry(fleet.runner, wanted, wanted.entry, by)
        with fleet.sessions.begin() as session:
            _record(session, wanted, by)
        return str(fleet.celery.tasks[wanted.task.name](**wanted.values))


def preview(wanted: Wanted, settings: Settings) -> str:
    """Say what a run would say now. Changes nothing and sends nothing.

    Raises:
        NotRehearsedError: Nobody can say.
        NotRunError: It would be refused.
        ProviderError: Stripe did not answer.
    """
    if wanted.task.name == byhand.SEND_ONE:
        instead = f"fleet deliver {wanted.values['delivery_id']} --dry-run"
        raise NotRehearsedError(f"{byhand.SEND_ONE} can't be rehearsed. Use {instead}.")
    with _fleet(settings) as fleet:
        if wanted.entry is not None:
            return fleet.runner.jobs[wanted.entry].preview()
        if wanted.task.name == byhand.SETTLE_ORDER:
            cashier = make_payments(settings, fleet.sessions, dry_run=True).cashier
            applied = cashier.order(UUID(wanted.values["order_id"]), Learned.HAND)
            return f"{applied.outcome} {applied.detail}".rstrip()
        with fleet.sessions() as session:
            return _due(session, wanted.task, timetable(settings.reminder_time))


def publish(wanted: Wanted, settings: Settings, by: By) -> str | None:
    """Hand it to the workers.

    Returns:
        The task's id; None of an entry of the timetable, whose run is in the timetable.

    Raises:
        NotRunError: A run of the entry is called or under way already.
        kombu.exceptions.OperationalError: The broker is away.
    """
    app = make_app(settings)
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=1)
    sessions = sessionmaker(engine, expire_on_commit=False)
    try:
        if wanted.entry is None:
            sent = app.send_task(
                wanted.task.name, kwargs=dict(wanted.values), queue=wanted.task.queue, retry=False
            )
        else:
            call = Call(sessions, timetable(settings.reminder_time), utc_now, partial(scheduled.publish, app))
            sent = None
            if not call(wanted.entry):
                raise NotRunError(f"{wanted.entry} is called or under way already; see fleet schedule.")
        with sessions.begin() as session:
            _record(session, wanted, by)
    finally:
        engine.dispose()
    return sent and str(sent.id)


@contextmanager
def _fleet(settings: Settings) -> Iterator[Fleet]:
    fleet = make_fleet(settings)
    try:
        yield fleet
    except (DrainError, NothingToAskError, RunError, ValueError) as error:
        raise NotRunError(f"{str(error).rstrip('.')}.") from None
    finally:
        fleet.engine.dispose()


def _run_entry(runner: Runner, wanted: Wanted, entry: str, by: By) -> str:
    def record() -> None:
        with runner.sessions.begin() as session:
            _record(session, wanted, by)

    try:
        result = runner.run_now(entry)
    except RunError as error:
        record()
        raise NotRunError(f"{error}. It is recorded; fleet schedule shows it.") from None
    if result is None:
        raise NotRunError(f"A worker is at {entry} at this moment; see fleet schedule.")
    record()
    return result


def _record(session: Session, wanted: Wanted, by: By) -> None:
    if wanted.entry is not None:
        interventions.record(session, by, "run", {"entry": wanted.entry})
        return
    ids = [UUID(value) for name, value in wanted.values.items() if name.endswith("_id")]
    interventions.record(session, by, "run", {"task": wanted.task.name}, ids)


def _due(session: Session, task: Described, entries: Sequence[Entry]) -> str:
    now = utc_now()
    if task.name == scheduled.TICK:
        found = rows.read(session)
        due = [each.name for each in entries if is_due(standing(each, found.get(each.name), now), now)]
        return f"called {', '.join(due)}" if due else scheduled.CALLED_NOTHING
    count = next((each.due for each in queues.states(session, now) if each.queue == task.queue), 0)
    return f"{task.queue}: {count} due"
