"""The page that an action is done on: what it will do and cost, why, and then that it is done."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kombu.exceptions import OperationalError as BrokerError

from db.queries.interventions import By
from workers.ops.doors import first, led

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.ops.actions import Action
    from workers.ops.doors import Fields
    from workers.ops.pages import View

log = logging.getLogger(__name__)

REASON_LENGTH: Final = 500


@dataclass(frozen=True)
class Acting:
    """Asks before it acts.

    Attributes:
        sessions: Makes sessions.
        actions: By their names in the address.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    actions: Mapping[str, Action]
    clock: Callable[[], datetime]

    def ask(self, request: Request, view: View, fields: Fields) -> Response:
        """Say what it would do. Changes nothing."""
        del fields
        query = request.query_params
        asked = {name: query.getlist(name) for name in query}
        return self._asked(request.path_params["name"], view, asked)

    def act(self, request: Request, view: View, fields: Fields) -> Response:
        """Do it, and lead to where it shows."""
        name = request.path_params["name"]
        action, why = self.actions.get(name), first(fields, "why")
        if action is None:
            return view.notice("missing", 404)
        if not why or len(why) > REASON_LENGTH:
            return self._asked(name, view, fields, 400)
        by, now = By(view.who, why), self.clock()
        with self.sessions() as session:
            back = action.plan(session, fields, now).back
        try:
            with self.sessions.begin() as session:
                count = action.do(session, fields, by, now)
        except BrokerError:
            return view.notice("broker", 503)
        log.info("%s by hand, %d rows", name, count)
        return led(view.link(back, done=name, count=str(count)))

    def _asked(self, name: str, view: View, asked: Fields, status: int = 200) -> Response:
        action = self.actions.get(name)
        if action is None:
            return view.notice("missing", 404)
        with self.sessions() as session:
            plan = action.plan(session, asked, self.clock())
        return view.page("act.html.j2", status, name=name, plan=plan, reason_needed=status != 200)  # noqa: PLR2004 - HTTP's own
