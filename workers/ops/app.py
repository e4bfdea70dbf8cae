"""The operators' pages, put together. Without a password there are none."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from db.queries import links
from schedules.timetable import timetable
from tasks import schedule
from tasks.wakeups import CHANNELS
from workers.clock import utc_now
from workers.ops import pages
from workers.ops.acting import Acting
from workers.ops.actions import Cancel, Pause, Replay, Resolve, Resume, Retry, Run
from workers.ops.calling import Call
from workers.ops.doors import Doors, led
from workers.ops.overview import Overview
from workers.ops.sign_in import Seal
from workers.ops.stories import Stories

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from celery import Celery
    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request

    from workers.ops.actions import Action
    from workers.settings import Settings


def make_operators_pages(settings: Settings, sessions: sessionmaker[Session], celery: Celery) -> list[Route]:
    """The routes of the operators' pages; nothing is connected before it is used.

    Args:
        settings: Without ``ops_password`` there are no pages.
        sessions: Makes sessions.
        celery: To ask workers for runs of the timetable.
    """
    if settings.ops_password is None:
        return []
    return routes(settings, sessions, partial(schedule.publish, celery), utc_now)


def routes(
    settings: Settings,
    sessions: sessionmaker[Session],
    publish: Callable[[str, str, UUID], None],
    clock: Callable[[], datetime],
) -> list[Route]:
    """The same, with the time given; the settings have a password.

    Args:
        settings: As above.
        sessions: Makes sessions.
        publish: Asks a worker for a run of the timetable: queue, entry, claim.
        clock: Gives the time, aware, UTC.
    """

    @cache
    def key() -> bytes:
        with sessions() as session:
            return links.signing_key(session)

    assert settings.ops_password is not None
    seal = Seal(settings.ops_user, settings.ops_password.get_secret_value(), key, clock)
    flower = str(settings.flower_url) if settings.flower_url else ""
    doors = Doors(seal, settings.public_url.scheme == "https", settings.locale, flower)
    entries = timetable(settings.reminder_time)
    overview = Overview(
        sessions=sessions,
        channels=CHANNELS,
        entries=entries,
        oldest_due_seconds=settings.health_max_age_seconds,
        poll_share_warning=settings.poll_share_warning,
        clock=clock,
    )
    stories = Stories(sessions, entries, clock)
    actions: dict[str, Action] = {
        "retry": Retry(settings.phone_region),
        "cancel": Cancel(),
        "replay": Replay(),
        "pause": Pause(),
        "resume": Resume(),
        "resolve": Resolve(),
        "run": Run(Call(sessions, entries, clock, publish)),
    }
    acting = Acting(sessions, actions, clock)
    inside = doors.signed_in
    return [
        Route("/ops", _into, methods=["GET"]),
        Route("/ops/sign-in", doors.show, methods=["GET"]),
        Route("/ops/sign-in", doors.take, methods=["POST"]),
        Route("/ops/sign-out", doors.leave, methods=["POST"]),
        Route("/ops/language/{locale}", doors.language, methods=["GET"]),
        Route("/ops/static/{name:path}", _static, methods=["GET"]),
        Route("/ops/", inside(overview.page), methods=["GET"]),
        Route("/ops/overview.json", inside(overview.data), methods=["GET"]),
        Route("/ops/lists/{name}", inside(stories.listing), methods=["GET"]),
        Route("/ops/schedule", inside(stories.schedule), methods=["GET"]),
        Route("/ops/search", inside(stories.search), methods=["GET"]),
        Route("/ops/story/{id}", inside(stories.story), methods=["GET"]),
        Route("/ops/orders/{id}", inside(stories.order), methods=["GET"]),
        Route("/ops/findings/{id}", inside(stories.finding), methods=["GET"]),
        Route("/ops/do/{name}", inside(acting.ask), methods=["GET"]),
        Route("/ops/do/{name}", inside(acting.act), methods=["POST"]),
    ]


async def _into(request: Request) -> Response:
    """Lead to the overview, from which all other addresses are told."""
    del request
    return led("ops/")


async def _static(request: Request) -> Response:
    """A file of the pages' own."""
    found = pages.asset(request.path_params["name"])
    return Response("no such file\n", 404, headers=pages.HEADERS) if found is None else found
