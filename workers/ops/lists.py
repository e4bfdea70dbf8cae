"""The rows behind the overview's numbers: one function for each list, from what was asked to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from db.queries import overview_rows
from services.payments.words import FindingKind, Learned
from workers.ops.lists_sending import SINCE, TONES, deliveries, parked, queue, story_cell, tries, unknown
from workers.ops.pages import moment
from workers.ops.tables import ROWS, Act, Cell, Filter, Row, Table, cursor, span_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    Asked = Mapping[str, str]
    List = Callable[[Session, Asked, datetime], Table]


def findings(session: Session, asked: Asked, now: datetime) -> Table:
    """Findings that nobody has resolved, or all."""
    span = span_of(asked, now, "all")
    resolved = asked.get("which") == "all"
    found = overview_rows.findings(session, span, asked.get("kind"), resolved=resolved)
    rows = [
        Row(
            (
                Cell(moment(each.found_at)),
                Cell(each.kind, f"findings/{each.id}"),
                Cell(each.subject),
                _order(each.order_id),
                Cell(each.done),
                Cell(f"{moment(each.resolved_at)} {each.resolved_by}" if each.resolved_at else "–"),
            ),
            () if each.resolved_at else [Act("resolve", {"id": str(each.id)})],
        )
        for each in found[:ROWS]
    ]
    return Table(
        ("found_at", "kind", "about", "order", "done", "resolved"),
        (Filter("kind", tuple(FindingKind)), Filter("which", ("open", "all"), needed=True)),
        rows,
        cursor(found[ROWS - 1].found_at, found[ROWS - 1].id) if len(found) > ROWS else None,
    )


def reminders(session: Session, asked: Asked, now: datetime) -> Table:
    """Reminders of the last 30 days, unless another span is asked for."""
    found = overview_rows.reminders(session, span_of(asked, now, "30d"), asked.get("which", "all"))
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                _order(each.order_id),
                Cell(str(each.number), f"story/{each.notice_id}" if each.notice_id else None),
                Cell(each.state, tone=TONES.get(each.state, "quiet")),
                Cell(each.reason or "–"),
                Cell(moment(each.clicked_at)),
                Cell(moment(each.paid_at)),
            )
        )
        for each in found[:ROWS]
    ]
    return Table(
        ("at", "order", "number", "state", "reason", "clicked_at", "paid_at"),
        (SINCE, Filter("which", ("all", "sent", "clicked", "paid"), needed=True)),
        rows,
        cursor(found[ROWS - 1].at, found[ROWS - 1].order_id) if len(found) > ROWS else None,
        usual={"since": "30d"},
    )


def payments(session: Session, asked: Asked, now: datetime) -> Table:
    """Payments settled in the last day, unless another span is asked for."""
    found = overview_rows.settled(session, span_of(asked, now, "24h"), asked.get("learned"))
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                _order(each.order_id),
                Cell(each.learned, tone=TONES.get(each.learned, "quiet")),
                Cell(f"{each.amount} {each.currency.upper()}"),
            )
        )
        for each in found[:ROWS]
    ]
    return Table(
        ("settled_at", "order", "learned", "amount"),
        (SINCE, Filter("learned", tuple(Learned))),
        rows,
        cursor(found[ROWS - 1].at, found[ROWS - 1].order_id) if len(found) > ROWS else None,
        usual={"since": "24h"},
    )


def by_hand(session: Session, asked: Asked, now: datetime) -> Table:
    """What people did in the last 30 days, unless another span is asked for."""
    found = overview_rows.by_hand(session, span_of(asked, now, "30d"))
    rows = [
        Row(
            (
                Cell(moment(each.at)),
                Cell(each.who),
                Cell(each.action),
                story_cell(each.subject)
                if each.subject and each.action in {"retry", "cancel"}
                else Cell(_about(each)),
                Cell(each.why),
            )
        )
        for each in found[:ROWS]
    ]
    last = cursor(found[ROWS - 1].at, found[ROWS - 1].id) if len(found) > ROWS else None
    return Table(("at", "who", "action", "about", "why"), (SINCE,), rows, last, usual={"since": "30d"})


LISTS: Final[Mapping[str, List]] = {
    "deliveries": deliveries,
    "tries": tries,
    "unknown": unknown,
    "queue": queue,
    "dead-letters": parked,
    "findings": findings,
    "payments": payments,
    "reminders": reminders,
    "by-hand": by_hand,
}


def _order(order_id: UUID | None) -> Cell:
    return Cell(str(order_id), f"orders/{order_id}") if order_id else Cell("–")


def _about(each: overview_rows.ByHand) -> str:
    told = [str(each.subject)] if each.subject else []
    told += [
        f"{name} {value}" for name, value in sorted(each.details.items()) if isinstance(value, (str, int))
    ]
    return ", ".join(told) or "–"
