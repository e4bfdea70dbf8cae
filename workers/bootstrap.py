"""The composition root: the only place where parts are put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import random
from threading import Event
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from services.notifications.evidence import Evidence
from services.notifications.fanout import FanOut, Routing
from services.notifications.lookups import LookupPolicy, Lookups
from services.notifications.render import Company, Renderer
from tasks import byhand, maintenance, notifications, wakeups
from workers.celery_app import make_app
from workers.channels import make_channels, retry_policy
from workers.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery
    from sqlalchemy import Engine

    from services.notifications.delivery import Drain
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
        stopping: Set when the process has been asked to stop.
    """

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    celery: Celery
    drains: Mapping[str, Drain]
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
    """
    engine = make_engine(settings.database_url.get_secret_value())
    sessions = sessionmaker(engine, expire_on_commit=False)
    stopping = Event()
    renderer = Renderer(make_company(settings))
    channels = make_channels(settings, sessions, renderer)
    fan_out = FanOut(
        sessions=sessions,
        renderer=renderer,
        locale=settings.locale,
        app_announces=frozenset(settings.app_announces),
        policy=retry_policy(settings, "EMAIL"),
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
    celery = make_app(settings)
    works = {
        "fanout": fan_out.run,
        **{wakeups.QUEUE_OF_CHANNEL[channel]: drain.run for channel, drain in channels.drains.items()},
        "inbox": evidence.run,
        "lookups": lookups.run,
    }
    notifications.register(celery, works, stopping.is_set)
    byhand.register(celery, channels.drains)
    sweeps = maintenance.Sweeps(routing, lookups)
    maintenance.register(celery, sessions, sweeps, utc_now, stopping.is_set)
    return Fleet(settings, engine, sessions, celery, channels.drains, stopping)
