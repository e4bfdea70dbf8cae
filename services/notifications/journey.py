"""The way of an event from its commit to its receipts, as moments for who follows it.

What a trace tells is put together here, and here alone: ids, the names of channels, states and providers, and
codes. Every moment of an event bears the event's id as that of its trace; where no event stands behind a
notification it is the notification's, and for a letter its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from services.notifications.receipts import FAILED
from services.witness import ROOT, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from db.queries.dispatch import ClaimedRow
    from db.queries.fallbacks import GivenWay
    from db.queries.journeys import Heard
    from db.queries.notice_queue import NoticeFacts
    from db.queries.outbox import EventFacts
    from services.notifications.settling import Ended

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,40}")


def events(
    facts: Sequence[EventFacts], results: Sequence[Mapping[str, object]], clock: Callable[[], datetime]
) -> Iterator[Moment]:
    """From an event's commit to that of its fan-out.

    Args:
        facts: The events.
        results: What became of each, as it was written down.
        clock: Gives the time of the commit.
    """
    outcomes = {result["event_id"]: str(result["outcome"]) for result in results}
    now = clock()
    for event in facts:
        about = {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "outcome": outcomes.get(event.event_id),
        }
        yield Moment("event", event.event_id, ROOT, None, event.created_at, now, about)


def notices(
    facts: Sequence[NoticeFacts], results: Sequence[Mapping[str, object]], clock: Callable[[], datetime]
) -> Iterator[Moment]:
    """From a notice's commit to when it was told; of one that was told to nobody there is nothing to follow.

    Args:
        facts: The notices.
        results: Which notification each has become, as it was written down.
        clock: Gives the time of the commit.
    """
    told = {result["id"]: result["notification_id"] for result in results}
    now = clock()
    for notice in facts:
        notification_id = told.get(notice.notice_id)
        if isinstance(notification_id, UUID):
            about = {
                "notice_id": notice.notice_id,
                "notification_id": notification_id,
                "template": notice.template_code,
            }
            yield Moment("notice", notification_id, ROOT, None, notice.enqueued_at, now, about)


def sends(ended: Sequence[Ended], now: datetime) -> Iterator[Moment]:
    """Each try from the call to the answer, and what came to its last word without one.

    Args:
        ended: What was settled.
        now: When.
    """
    for each in ended:
        row, settlement = each.claimed, each.settlement
        about = _about(row) | {
            "provider": settlement.provider,
            "state": settlement.state,
            "code": _code(settlement.code),
            "due_at": settlement.due_at.isoformat() if settlement.due_at else None,
        }
        trace, parent = _trace(row), _parent(row)
        if each.took is not None:
            about |= {
                "attempt": settlement.token,
                "attempt_number": row.attempts + 1,
                "outcome": settlement.outcome or "UNKNOWN",
            }
            failed = settlement.outcome != "ACCEPTED"
            yield Moment("send", trace, f"send {settlement.token}", parent, *each.took, about, failed)
        elif settlement.state in {"FAILED", "PARKED"}:
            yield Moment("not sent", trace, f"not sent {row.delivery_id}", parent, now, now, about)


def fallbacks(given: Sequence[GivenWay], reason: str, now: datetime) -> Iterator[Moment]:
    """One channel giving way to another.

    Args:
        given: The deliveries.
        reason: Why.
        now: When it was decided.
    """
    for row in given:
        about = {
            "event_id": row.event_id,
            "notification_id": row.notification_id,
            "delivery_id": row.delivery_id,
            "channel": row.channel,
            "to_delivery_id": row.to_delivery_id,
            "to_channel": row.to_channel,
            "reason": reason,
        }
        parent = ROOT if row.event_id else None
        trace = row.event_id or row.notification_id
        yield Moment("fallback", trace, f"fallback {row.delivery_id}", parent, now, now, about)


def receipts(heard: Sequence[Heard], now: datetime) -> Iterator[Moment]:
    """From a message's acceptance to what the provider says became of it.

    Args:
        heard: The attempts of which something new was said.
        now: When it was written down.
    """
    for each in heard:
        state = each.state or "ACCEPTED"
        about = {
            "event_id": each.event_id,
            "notification_id": each.notification_id,
            "delivery_id": each.delivery_id,
            "attempt": each.token,
            "attempt_number": each.number,
            "channel": each.channel,
            "provider": each.provider,
            "state": state,
            "code": _code(each.code),
            "evidence": each.evidence,
        }
        yield Moment(
            name="receipt",
            trace=each.event_id or each.notification_id or each.delivery_id,
            id=f"receipt {each.token} {state}",
            parent=f"send {each.token}",
            began_at=each.accepted_at,
            ended_at=each.at or now,
            about=about,
            failed=state in FAILED,
        )


def _trace(row: ClaimedRow) -> UUID:
    return row.event_id or row.notification_id or row.delivery_id


def _parent(row: ClaimedRow) -> str | None:
    """The root, where there is one: a notification of the application's own follows from nothing we know."""
    return ROOT if row.event_id or row.announced_as else None


def _about(row: ClaimedRow) -> dict[str, object]:
    return {
        "event_id": row.event_id,
        "notification_id": row.notification_id,
        "delivery_id": row.delivery_id,
        "channel": row.channel,
    }


def _code(code: str | None) -> str | None:
    """A code may be whatever a provider has written in its place."""
    return code if code and _CODE.fullmatch(code) else None
