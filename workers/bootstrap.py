"""The composition root: the only place where parts are put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import random
from threading import Event
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session, sessionmaker

from db.engine import make_engine
from providers.sendgrid import SendGridEmail
from providers.transport import PooledTransport
from services.notifications.carriers import EmailCarrier, InAppCarrier
from services.notifications.delivery import Drain
from services.notifications.evidence import Evidence
from services.notifications.fanout import FanOut, Routing
from services.notifications.render import Renderer
from services.notifications.retry import RetryPolicy
from tasks import byhand, maintenance, notifications
from workers.celery_app import make_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery
    from sqlalchemy import Engine

    from workers.settings import Settings


def utc_now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


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


def make_fleet(settings: Settings) -> Fleet:
    """Wire a process.

    Raises:
        RenderError: The words have a hole.
    """
    engine = make_engine(settings.database_url.get_secret_value())
    sessions = sessionmaker(engine, expire_on_commit=False)
    stopping = Event()
    renderer = Renderer(settings.company)
    app_url = str(settings.app_url)
    policy = RetryPolicy(
        retries=settings.email_retries,
        base_seconds=settings.retry_base_seconds,
        cap_seconds=settings.retry_cap_seconds,
        unknown_wait_seconds=settings.unknown_wait_seconds,
    )
    transport = PooledTransport(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        connections=settings.sends_side_by_side,
    )
    sendgrid = SendGridEmail(
        settings.sendgrid_api_key.get_secret_value(),
        str(settings.sendgrid_base_url).rstrip("/"),
        settings.email_from,
        transport,
    )
    email = Drain(
        channel="EMAIL",
        carrier=EmailCarrier(sendgrid, renderer, settings.locale, app_url),
        sessions=sessions,
        policy=policy,
        lease=timedelta(seconds=settings.lease_seconds),
        side_by_side=settings.sends_side_by_side,
        clock=utc_now,
        jitter=random,
    )
    drains = {
        "EMAIL": email,
        "IN_APP": replace(email, channel="IN_APP", carrier=InAppCarrier(), side_by_side=4),
    }
    fan_out = FanOut(
        sessions=sessions,
        renderer=renderer,
        locale=settings.locale,
        app_announces=frozenset(settings.app_announces),
        policy=policy,
        clock=utc_now,
        jitter=random,
    )
    routing = Routing(sessions, timedelta(seconds=settings.routing_grace_seconds), utc_now)
    celery = make_app(settings)
    notifications.register(celery, fan_out, drains, Evidence(sessions, utc_now), stopping.is_set)
    byhand.register(celery, drains)
    maintenance.register(celery, sessions, routing, utc_now, stopping.is_set)
    return Fleet(settings, engine, sessions, celery, drains, stopping)
