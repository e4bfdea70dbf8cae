"""Before a send: what ends without one, and why; the attempts of the rest are opened here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from db import json_rows
from db.queries import announcements, dispatch
from services.notifications import outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.dispatch import ClaimedRow
    from services.notifications.outcomes import Settlement
    from services.notifications.retry import RetryPolicy

SEARCH_AGAIN = timedelta(seconds=10)
"""Until a delivery is looked at once more whose provider's list is still to be searched."""


def judge(
    session: Session, rows: Sequence[ClaimedRow], now: datetime, policy: RetryPolicy, provider: str
) -> tuple[list[tuple[ClaimedRow, Settlement]], list[tuple[ClaimedRow, UUID]]]:
    """Part what ends without a send from what is to be sent, and open the attempts of the latter.

    Args:
        session: The transaction of the claim.
        rows: What was claimed.
        now: The time to record.
        policy: The channel's.
        provider: Who will be handed the sends.

    Returns:
        The rows that end at once with their outcomes, and the rows to send with their attempts' tokens.
    """
    first_told = _take_places(session, rows)
    early: list[tuple[ClaimedRow, Settlement]] = []
    opened: list[tuple[ClaimedRow, UUID]] = []
    for row in rows:
        told_before = row.notification_id not in first_told
        settlement = _without_sending(row, now, policy, told_before=told_before)
        if settlement is None:
            opened.append((row, uuid4()))
        else:
            early.append((row, settlement))
    expired = dispatch.expire_attempts(session, [row.open_token for row, _ in opened if row.open_token], now)
    proved = [row for row, _ in opened if row.open_token and row.open_token not in expired]
    # Settled by evidence since the claim looked: to be looked at once more, not sent.
    early += [(row, outcomes.still_unknown(row, now)) for row in proved]
    opened = [(row, token) for row, token in opened if row not in proved]
    if opened:
        attempts = [
            {
                "token": token,
                "delivery_id": row.delivery_id,
                "number": row.attempts + 1,
                "channel": row.channel,
                "provider": provider,
            }
            for row, token in opened
        ]
        dispatch.open_attempts(session, json_rows.dumps(attempts), now)
    return early, opened


def _take_places(session: Session, rows: Sequence[ClaimedRow]) -> set[UUID | None]:
    """Notifications that hold the place of their (event, person, template), or need none."""
    unplaced = [row for row in rows if row.event_id and row.template_code and row.announced_as is None]
    taken: set[UUID] = set()
    if unplaced:
        places = {
            row.notification_id: {
                "event_id": row.event_id,
                "user_id": row.user_id,
                "template_code": row.template_code,
                "notification_id": row.notification_id,
                "announced_by": "APPLICATION",
            }
            for row in unplaced
        }
        taken = announcements.record(session, json_rows.dumps(places.values()))
    waiting = {row.notification_id for row in unplaced}
    return {
        row.notification_id
        for row in rows
        if row.notification_id in taken
        or (
            row.notification_id not in waiting
            and (
                row.announced_as in {None, row.notification_id}
                or (row.template_code is None and row.announced_by == "APPLICATION")
            )
        )
    }


def _without_sending(
    row: ClaimedRow, now: datetime, policy: RetryPolicy, *, told_before: bool
) -> Settlement | None:
    if row.status != "PENDING" or row.recipient is None:
        return outcomes.gone(row)
    if row.place_held_by != row.delivery_id and row.place_held_by is not None:
        why = f"delivery {row.place_held_by} is this notification's on {row.channel}"
        return outcomes.not_sent(row, "duplicate_delivery", why)
    if told_before:
        who = row.announced_as or "another"
        why = f"notification {who} tells this person of the same event"
        return outcomes.not_sent(row, "duplicate_notification", why)
    return _while_unknown(row, now, policy)


def _while_unknown(row: ClaimedRow, now: datetime, policy: RetryPolicy) -> Settlement | None:
    """What an attempt of unknown outcome asks for: time, a person, an end; None: another send."""
    if row.opened_at is None:
        return None
    wait = timedelta(seconds=policy.unknown_wait_seconds)
    until = row.opened_at + wait
    if until > now:
        return outcomes.still_unknown(row, until)
    # The provider's list may be the evidence: what can still be asked is asked before another send.
    if row.unsearched and until + wait > now:
        return outcomes.still_unknown(row, min(until + wait, now + SEARCH_AGAIN))
    if policy.hold_unknown:
        return outcomes.held(row)
    return outcomes.given_up(row) if row.unproved >= policy.retries else None
