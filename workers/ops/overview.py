"""The overview: a picture that all who look share for a moment, what is wrong in it first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from db.queries import overview
from db.queries.channels import PROBED
from db.queries.figures import Count
from db.queries.overview import LAST_HOUR, STATES
from schedules.standing import standing
from workers.kept import Kept
from workers.ops.behind import Behind
from workers.ops.pages import HEADERS
from workers.troubles import polled_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session, sessionmaker
    from starlette.requests import Request
    from starlette.responses import Response

    from db.queries.overview import Picture, Tried
    from schedules.standing import Standing
    from schedules.timetable import Entry
    from workers.ops.doors import Fields
    from workers.ops.pages import View

KEPT_SECONDS: Final = 1.5
"""However many screens show the overview, the database is asked no more often."""

CHARTED: Final = ("EMAIL", "WHATSAPP", "SMS")
"""Channels that always have a chart; any other has one while something is tried there."""

MOST_CODES: Final = 12
_MINUTES: Final = int(LAST_HOUR.total_seconds()) // 60


@dataclass(frozen=True)
class Alarm:
    """One thing that is not as it should be.

    Attributes:
        tone: ``danger`` or ``warning``.
        key: Of its words.
        values: For the words.
        to: Where the rows behind it are, from the overview.
        query: Which of them.
    """

    tone: str
    key: str
    values: Mapping[str, object]
    to: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Code:
    """How often tries of a channel ended with a code, and how large a share of them."""

    channel: str
    state: str
    code: str
    count: int
    share: float


@dataclass
class Overview:
    """The overview as a page, and as what the page asks for again and again.

    Attributes:
        sessions: Makes sessions.
        channels: Those that are worked off.
        entries: The timetable.
        oldest_due_seconds: Work that has been due for longer is late.
        poll_share_warning: From which share of payments learned by asking on it is a warning.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    channels: Sequence[str]
    entries: Sequence[Entry]
    oldest_due_seconds: float
    poll_share_warning: float
    clock: Callable[[], datetime]
    _kept: Kept[Picture] = field(init=False)
    _counted: Behind[Sequence[Tried]] = field(init=False)

    def __post_init__(self) -> None:
        self._kept = Kept(self._take, KEPT_SECONDS)
        self._counted = Behind(self._count, KEPT_SECONDS)

    def page(self, request: Request, view: View, fields: Fields) -> Response:
        """The whole page."""
        del request, fields
        return view.page("overview.html.j2", **self._shown())

    def data(self, request: Request, view: View, fields: Fields) -> Response:
        """What changes: the page's live part, and the charts' numbers."""
        del request, fields
        shown = self._shown()
        html = view.render("overview_live.html.j2", **shown)
        told = {"html": html, "charts": shown["charts"], "counted": shown["counted"]}
        return JSONResponse(told, headers=HEADERS)

    def _take(self) -> Picture:
        with self.sessions.begin() as session:
            return overview.take(session, self.channels, self.clock())

    def _count(self) -> Sequence[Tried]:
        with self.sessions.begin() as session:
            return overview.tried(session, self.clock())

    def _shown(self) -> dict[str, Any]:
        picture, counted = self._kept.get(), self._counted.get()
        tried = counted.value if counted else ()
        entries = [standing(each, picture.schedule.get(each.name), picture.at) for each in self.entries]
        share = polled_share([Count((learned,), count) for learned, count in picture.settled.items()])
        return {
            "picture": picture,
            "limit": self.oldest_due_seconds,
            "alarms": [
                *self._late(picture),
                *_stopped(picture),
                *self._money(picture, share),
                *_silent(entries),
            ],
            "charts": charts(tried, picture.at),
            "totals": _totals(tried),
            "states": STATES,
            "codes": codes(tried),
            "counted": counted.age if counted else None,
            "polled": share,
            "poll_share_warning": self.poll_share_warning,
            "entries": entries,
        }

    def _late(self, picture: Picture) -> Iterator[Alarm]:
        for head in picture.queues:
            age = head.oldest_due_seconds or 0.0
            if age > self.oldest_due_seconds:
                values = {"queue": head.queue, "age": age}
                yield Alarm("danger", "alarm.late", values, "lists/queue", {"queue": head.queue})

    def _money(self, picture: Picture, share: float) -> Iterator[Alarm]:
        if picture.findings:
            count = sum(picture.findings.values())
            yield Alarm("warning", "alarm.findings", {"count": count}, "lists/findings")
        if share > self.poll_share_warning:
            yield Alarm("warning", "alarm.polled", {"share": share}, "lists/payments")


def charts(counted: Sequence[Tried], now: datetime) -> dict[str, Any]:
    """Tries per minute of the last hour, by channel and state; the last minute is still under way."""
    last = int(now.timestamp()) // 60
    start = last - _MINUTES + 1
    found: dict[str, dict[str, list[int]]] = {
        channel: {state: [0] * _MINUTES for state in STATES} for channel in _charted(counted)
    }
    for tried in counted:
        at = tried.minute // 60 - start
        if 0 <= at < _MINUTES:
            found[tried.channel][tried.state][at] += tried.count
    return {"start": start * 60, "minutes": _MINUTES, "channels": found}


def codes(counted: Sequence[Tried]) -> list[Code]:
    """Of the tries of the last hour, what failed or was put off: the most frequent codes first."""
    all_tries: Counter[str] = Counter()
    bad: Counter[tuple[str, str, str]] = Counter()
    for tried in counted:
        all_tries[tried.channel] += tried.count
        if tried.state in {"failed", "later"}:
            bad[tried.channel, tried.state, tried.code] += tried.count
    ranked = sorted(bad.items(), key=lambda item: (-item[1], item[0]))[:MOST_CODES]
    return [Code(*kind, count, count / all_tries[kind[0]]) for kind, count in ranked]


def _charted(counted: Sequence[Tried]) -> list[str]:
    return [*CHARTED, *sorted({tried.channel for tried in counted} - {*CHARTED})]


def _totals(counted: Sequence[Tried]) -> Mapping[str, Mapping[str, int]]:
    totals: dict[str, Counter[str]] = {channel: Counter() for channel in _charted(counted)}
    for tried in counted:
        totals[tried.channel][tried.state] += tried.count
    return totals


def _stopped(picture: Picture) -> Iterator[Alarm]:
    for pause in picture.pauses:
        tone = "danger" if pause.kind in PROBED else "warning"
        values = {"channel": pause.channel, "code": pause.code}
        yield Alarm(tone, "alarm.paused", values, "lists/queue", {"queue": pause.channel.lower()})
    if picture.parked:
        yield Alarm("warning", "alarm.parked", {"count": sum(picture.parked.values())}, "lists/dead-letters")
    if picture.unknown:
        count = sum(each.count for each in picture.unknown)
        yield Alarm("warning", "alarm.unknown", {"count": count}, "lists/unknown")


def _silent(entries: Sequence[Standing]) -> Iterator[Alarm]:
    if not any(each.row for each in entries):
        yield Alarm("danger", "alarm.no_tick", {}, "schedule")
    for each in entries:
        values = {"entry": each.entry.name}
        if each.silent:
            yield Alarm("danger", "alarm.silent", values, "schedule")
        elif each.row is not None and each.row.error is not None and not each.running:
            yield Alarm("warning", "alarm.run_failed", values, "schedule")
