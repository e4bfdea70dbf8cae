"""One thing and all that is known of it: a delivery, a finding, an order; and lists of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from db.queries import findings, overview_rows, reminder_figures, schedule, story
from schedules.standing import standing
from workers import telling
from workers.ops.lists import LISTS
from workers.ops.lists_sending import TONES
from workers.ops.tables import SPANS, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request
    from starlette.responses import Response

    from schedules.timetable import Entry
    from workers.ops.doors import Fields
    from workers.ops.pages import View


@dataclass(frozen=True)
class Stories:
    """Pages to look at. None of them changes anything.

    Attributes:
        sessions: Makes sessions.
        entries: The timetable.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    entries: Sequence[Entry]
    clock: Callable[[], datetime]

    def listing(self, request: Request, view: View, fields: Fields) -> Response:
        """Rows of one kind, narrowed by what the query says."""
        del fields
        name = request.path_params["name"]
        if name not in LISTS:
            return view.notice("missing", 404)
        asked = {key: value.strip() for key, value in request.query_params.items() if value.strip()}
        try:
            with self.sessions() as session:
                table = LISTS[name](session, asked, self.clock())
        except UnreadableError:
            return view.notice("missing", 404)
        return view.page("list.html.j2", name=name, table=table, asked=asked, spans=tuple(SPANS))

    def search(self, request: Request, view: View, fields: Fields) -> Response:
        """The story of an id that somebody has typed in."""
        del fields
        wanted = _id(request.query_params.get("id", ""))
        return view.notice("missing", 404) if wanted is None else self._story(view, wanted)

    def story(self, request: Request, view: View, fields: Fields) -> Response:
        """The whole story of an event, notice, notification, delivery, letter or attempt."""
        del fields
        wanted = _id(request.path_params["id"])
        return view.notice("missing", 404) if wanted is None else self._story(view, wanted)

    def _story(self, view: View, wanted: UUID) -> Response:
        now = self.clock()
        with self.sessions() as session:
            found = story.find(session, wanted)
            moments = telling.tell(found, now) if found else []
            # Nobody counts orders among what has a story, and yet people hold their ids.
            order = None if found else reminder_figures.order(session, wanted)
        if order is not None:
            return self._order(view, wanted)
        if found is None:
            return view.notice("missing", 404)
        return view.page("story.html.j2", id=wanted, story=found, moments=moments, tones=TONES, now=now)

    def order(self, request: Request, view: View, fields: Fields) -> Response:
        """What is known of an order's reminders, and what has a story and is about it."""
        del fields
        wanted = _id(request.path_params["id"])
        return view.notice("missing", 404) if wanted is None else self._order(view, wanted)

    def _order(self, view: View, wanted: UUID) -> Response:
        with self.sessions() as session:
            order = reminder_figures.order(session, wanted)
            reminders = reminder_figures.of_order(session, wanted, None) if order else []
            about = overview_rows.about_order(session, wanted)
        if order is None:
            return view.notice("missing", 404)
        return view.page("order.html.j2", order=order, reminders=reminders, about=about, tones=TONES)

    def finding(self, request: Request, view: View, fields: Fields) -> Response:
        """All that is known of a finding."""
        del fields
        wanted = _id(request.path_params["id"])
        with self.sessions() as session:
            found = findings.one(session, wanted) if wanted else None
        if found is None:
            return view.notice("missing", 404)
        details = {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in sorted(found.details.items())
        }
        return view.page("finding.html.j2", finding=found, details=details)

    def schedule(self, request: Request, view: View, fields: Fields) -> Response:
        """The timetable: what each entry does and when, its last run, and its next."""
        del request, fields
        now = self.clock()
        with self.sessions() as session:
            rows = schedule.read(session)
        entries = [standing(each, rows.get(each.name), now) for each in self.entries]
        return view.page("schedule.html.j2", entries=entries)


def _id(given: str) -> UUID | None:
    try:
        return UUID(given.strip())
    except ValueError:
        return None
