"""The composition root: the only place where parts are put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import random
from threading import Event
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from schedules.tick import Tick
from schedules.timetable import check, timetable
from services.dossiers.advancing import Advancing
from services.notifications.evidence import Evidence
from services.notifications.fanout import FanOut, Routing
from services.notifications.lookups import LookupPolicy, Lookups
from services.notifications.notices import Notices
from services.notifications.render import Company, Renderer
from services.payments.links import PaymentLinks
from tasks import byhand, maintenance, notifications, schedule, wakeups
from tasks.notifications import counting, sending
from tasks.payments import Reconcile, Remind, StripeJob, daily_job, links_job
from tasks.running import Runner
from workers.celery_app import make_app
from workers.channels import make_channels, retry_policy
from workers.clock import utc_now
from workers.payments import make_payments
from workers.reminders import make_reminders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from celery import Celery
    from sqlalchemy import Engine

    from schedules.timetable import Entry
    from services.notifications.delivery import Drain
    from tasks.jobs import Job
    from workers.payments import Payments
    from workers.settings import Settings


@dataclass(frozen=True)
class Fleet:
    """One process's parts, wired. Nothing is connected before it is used.

    Attributes:
        settings: What it was made from.
        engine: The database.
        sessions: Makes sessions.
        celery: The app, with its tasks.
        drains: The drain of each channel.
        runner: Runs the jobs of the timetable.
        stopping: Set when the process has been asked to stop.
    """

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    celery: Celery
    drains: Mapping[str, Drain]
    runner: Runner
    stopping: Event


def make_company(settings: Settings) -> Company:
    """Who writes to people."""
    return Company(
        settings.company, settings.company_address, settings.company_registration, settings.company_email
    )


def make_fleet(settings: Settings) -> Fleet:
    """Wire a process.

    Raises:
        RenderError: The words have a hole.
        MappingError: The file of approved WhatsApp templates can't be used.
        TimetableError: The timetable and the jobs do not name the same.
    """
    engine = make_engine(settings.database_url.get_secret_value())
    sessions = sessionmaker(engine, expire_on_commit=False)
    stopping = Event()
    renderer = Renderer(make_company(settings))
    channels = make_channels(settings, sessions, renderer)
    patience = retry_policy(settings, "EMAIL")
    fan_out = FanOut(
        sessions=sessions,
        renderer=renderer,
        locale=settings.locale,
        app_announces=frozenset(settings.app_announces),
        policy=patience,
        clock=utc_now,
        jitter=random,
        region=settings.phone_region,
    )
    routing = Routing(
        sessions,
        timedelta(seconds=settings.routing_grace_seconds),
        utc_now,
        region=settings.phone_region,
    )
    evidence = Evidence(sessions, utc_now, channels.classify, settings.phone_region)
    lookups = Lookups(
        sessions=sessions,
        providers=channels.lookups,
        region=settings.phone_region,
        policy=LookupPolicy(
            send_lease=timedelta(seconds=settings.lease_seconds),
            status_again=timedelta(seconds=settings.lookup_after_seconds),
            fallback_after=timedelta(seconds=settings.fallback_after_seconds),
        ),
        clock=utc_now,
        classify=channels.classify,
    )
    notices = Notices(
        sessions=sessions,
        renderer=renderer,
        locale=settings.locale,
        policy=patience,
        clock=utc_now,
        jitter=random,
        region=settings.phone_region,
    )
    advancing = Advancing(sessions, utc_now, settings.manual_products, patience, random)
    payments = make_payments(settings, sessions)
    reminders = make_reminders(settings, sessions, payments.checkouts)
    celery = make_app(settings)
    works = {
        "fanout": counting(fan_out.run, "fanned out"),
        "notices": counting(notices.run, "told"),
        "payments": counting(payments.inbox.run, "worked off"),
        "advances": counting(advancing.run, "looked at"),
        "reminders": counting(reminders.run, "taken up"),
        **{wakeups.QUEUE_OF_CHANNEL[channel]: sending(drain) for channel, drain in channels.drains.items()},
        "inbox": counting(evidence.run, "worked off"),
        "lookups": counting(lookups.run, "asked"),
    }
    notifications.register(celery, works, stopping.is_set)
    byhand.register(celery, channels.drains, payments.cashier)
    wake = partial(wakeups.publish, celery)
    sweeps = maintenance.Sweeps(
        sessions, utc_now, wake, routing, lookups, advancing, timedelta(days=settings.callback_days)
    )
    jobs = {
        **sweeps.jobs(),
        **_payment_jobs(settings, sessions, payments),
        "send-reminders": Remind(reminders, wake),
    }
    runner = _keep_the_timetable(celery, sessions, timetable(settings.reminder_time), jobs, stopping)
    return Fleet(settings, engine, sessions, celery, channels.drains, runner, stopping)


def _payment_jobs(
    settings: Settings, sessions: sessionmaker[Session], payments: Payments
) -> Mapping[str, Job]:
    rehearsed = make_payments(settings, sessions, dry_run=True)
    payment_links = PaymentLinks(
        sessions,
        utc_now,
        settings.payment_link_path,
        settings.payment_link_reminder_days,
        settings.mail_payment_links,
    )
    return {
        "reconcile": StripeJob(
            Reconcile(payments.events, payments.inbox, payments.orders),
            Reconcile(rehearsed.events, rehearsed.inbox, rehearsed.orders).look,
        ),
        "compare-payments": daily_job(payments.daily, rehearsed.daily),
        "look-after-links": links_job(sessions, payment_links),
    }


def _keep_the_timetable(
    celery: Celery,
    sessions: sessionmaker[Session],
    entries: Sequence[Entry],
    jobs: Mapping[str, Job],
    stopping: Event,
) -> Runner:
    check(entries, jobs, wakeups.QUEUES)
    leases = {entry.name: entry.lease for entry in entries}
    runner = Runner(sessions, jobs, leases, utc_now, stopping.is_set)
    schedule.register(celery, Tick(sessions, entries, utc_now, partial(schedule.publish, celery)), runner)
    return runner
