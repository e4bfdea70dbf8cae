"""Lists of what is sent and what waits: one function for each, from what was asked to a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from db.queries import dead_letters, overview_rows, overview_tries
from db.queries.dead_letters import Meant
from db.queries.overview import STATES
from tasks.wakeups import CHANNELS, TASK_OF_QUEUE
from workers.masking import masked
from workers.ops.pages import moment
from workers.ops.tables import ROWS, SPANS, Act, Cell, Filter, Row, Table, cursor, cursor_of, span_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from db.queries.overview_tries import Try

    Asked = Mapping[str, str]

MOST_PARKED: Final = 1000
QUEUES: Final = tuple(TASK_OF_QUEUE)
"""Those that hold rows of work."""

TONES: Final = {
    "delivered": "success",
    "sent": "accent",
    "later": "warning",
    "unknown": "quiet",
    "failed": "danger",
    "SENT": "success",
    "PENDING": "accent",
    "FAILED": "danger",
    "BOUNCED": "danger",
    "CLAIMED": "accent",
    "SKIPPED": "quiet",
    "WEBHOOK": "success",
    "POLL": "warning",
    "CHECK": "warning",
}
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_STATUSES: Final = ("PENDING", "SENT", "FAILED", "BOUNCED")
SINCE: Final = Filter("since", tuple(SPANS), needed=True)
_CHANNEL: Final = Filter("channel", CHANNELS)
_TRY_COLUMNS: Final = ("at", "delivery", "channel", "number", "state", "code", "status", "recipient")


def tries(session: Session, asked: Asked, now: datetime) -> Table:
    """Tries of the last hour, unless another span is asked for."""
    span = span_of(asked, now, "1h")
    found = overview_tries.tries(session, span, asked.get("channel"), asked.get("state"), asked.get("code"))
    return _tries(found, (SINCE, _CHANNEL, Filter("state", STATES), Filter("code")), {"since": "1h"})


def unknown(session: Session, asked: Asked, now: datetime) -> Table:
    """Tries whose outcome nobody knows, however old."""
    found = overview_tries.unknown(session, span_of(asked, now, "all"), asked.get("channel"), now)
    return _tries(found, (_CHANNEL,), {})


def deliveries(session: Session, asked: Asked, now: datetime) -> Table:
    """Deliveries of the last day, unless another span is asked for."""
    span = span_of(asked, now, "24h")
    channel, status, code, template = (asked.get(name) for name in ("channel", "status", "code", "template"))
    found = overview_tries.deliveries(session, span, channel, status, code, template)
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                story_cell(each.id),
                Cell(each.channel),
                Cell(each.status, tone=TONES.get(each.status, "quiet")),
                Cell(each.template_code or "–"),
                Cell(str(each.tries)),
                Cell(each.code or "–"),
                Cell(masked(each.recipient)),
            ),
            _acts(each.id, each.status),
        )
        for each in found[:ROWS]
    ]
    failed = [str(each.id) for each in found[:ROWS] if each.status in {"FAILED", "BOUNCED"}]
    return Table(
        ("at", "delivery", "channel", "status", "template", "tries", "code", "recipient"),
        (SINCE, _CHANNEL, Filter("status", _STATUSES), Filter("code"), Filter("template")),
        rows,
        cursor(found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None,
        [Act("retry", {"id": failed})] if failed else (),
        {"since": "24h"},
    )


def queue(session: Session, asked: Asked, now: datetime) -> Table:
    """Rows of a queue, the longest due first."""
    chosen = asked.get("queue", "")
    chosen = chosen if chosen in QUEUES else "email"
    after, after_id = cursor_of(asked.get("after", ""), _BEGINNING)
    found = overview_rows.waiting(session, chosen, after, after_id, ROWS + 1, now)
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                _story_of(each.id),
                Cell("held" if each.held else "due" if each.at <= now else "waiting", tone="quiet"),
                Cell(str(each.tries)),
                Cell(each.error or "–"),
            ),
            [Act("cancel", {"id": each.id})] if chosen.upper() in CHANNELS and not each.held else (),
        )
        for each in found[:ROWS]
    ]
    last = cursor(found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None
    columns = ("due_at", "id", "place", "tries", "error")
    acts = [
        Act(act, {"channel": chosen.upper()}) for act in ("pause", "resume") if chosen.upper() in CHANNELS
    ]
    return Table(columns, (Filter("queue", QUEUES, needed=True),), rows, last, acts, {"queue": chosen})


def parked(session: Session, asked: Asked, now: datetime) -> Table:
    """Dead letters, the longest parked first."""
    del now
    found = dead_letters.find(session, Meant(asked.get("queue"), None, asked.get("error")), MOST_PARKED)
    after, after_id = cursor_of(asked.get("after", ""), _BEGINNING)
    rest = [each for each in found if (each.parked_at, f"{each.queue} {each.id}") > (after, after_id)]
    rows = [
        Row(
            (
                Cell(moment(each.parked_at)),
                Cell(each.queue),
                _story_of(each.id),
                Cell(str(each.tries)),
                Cell(each.error or "–"),
            ),
            [Act("replay", {"id": each.id, "queue": each.queue})],
        )
        for each in rest[:ROWS]
    ]
    last = rest[ROWS - 1] if len(rest) > ROWS else None
    return Table(
        ("parked_at", "queue", "id", "tries", "error"),
        (Filter("queue", QUEUES), Filter("error")),
        rows,
        cursor(last.parked_at, f"{last.queue} {last.id}") if last else None,
        [Act("replay", {"id": [each.id for each in rest[:ROWS]]})] if rows else (),
    )


def _tries(found: Sequence[Try], filters: Sequence[Filter], usual: Mapping[str, str]) -> Table:
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                story_cell(each.delivery_id),
                Cell(each.channel),
                Cell(str(each.number)),
                Cell(each.state, tone=TONES[each.state]),
                Cell(each.code or "–"),
                Cell(each.status or "–", tone=TONES.get(each.status or "", "quiet")),
                Cell(masked(each.recipient or "–")),
            ),
            _acts(each.delivery_id, each.status),
        )
        for each in found[:ROWS]
    ]
    last = cursor(found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None
    return Table(_TRY_COLUMNS, filters, rows, last, usual=usual)


def _acts(delivery_id: UUID, status: str | None) -> Sequence[Act]:
    if status in {"FAILED", "BOUNCED"}:
        return [Act("retry", {"id": str(delivery_id)})]
    return [Act("cancel", {"id": str(delivery_id)})] if status == "PENDING" else ()


def story_cell(some_id: UUID) -> Cell:
    """An id that leads to its story."""
    return Cell(str(some_id), f"story/{some_id}")


def _story_of(some_id: str) -> Cell:
    """Where an id has a story; those of callbacks and reminders have none."""
    try:
        return story_cell(UUID(some_id))
    except ValueError:
        order, _, _ = some_id.partition("/")
        try:
            return Cell(some_id, f"orders/{UUID(order)}")
        except ValueError:
            return Cell(some_id)
