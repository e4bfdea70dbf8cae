"""Before a send: what ends without one, and why; the attempts of the rest are opened here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from db import json_rows
from db.queries import announcements, dispatch
from services.notifications import outcomes
from services.notifications.lookups import HORIZON

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.dispatch import ClaimedRow
    from services.notifications.consent import Consent
    from services.notifications.outcomes import Settlement
    from services.notifications.retry import RetryPolicy

HEARD_WITHIN = timedelta(seconds=2)
"""Until a delivery is looked at once more about which a callback is stored and not worked off."""

SEARCH_AGAIN = timedelta(seconds=10)
"""Until a delivery is looked at once more whose provider's list is still to be searched."""


def judge(  # noqa: PLR0913  a claim's transaction and rows, and what its channel knows of itself
    session: Session,
    rows: Sequence[ClaimedRow],
    now: datetime,
    policy: RetryPolicy,
    provider: str,
    *,
    searchable: bool,
    consent: Consent,
) -> tuple[list[tuple[ClaimedRow, Settlement]], list[tuple[ClaimedRow, UUID]]]:
    """Part what ends without a send from what is to be sent, and open the attempts of the latter.

    Args:
        session: The transaction of the claim.
        rows: What was claimed.
        now: The time to record.
        policy: The channel's.
        provider: Who will be handed the sends.
        searchable: Whether the provider's list can be searched for a message.
        consent: What people want.

    Returns:
        The rows that end at once with their outcomes, and the rows to send with their attempts' tokens.
    """
    first_told = _take_places(session, rows)
    early: list[tuple[ClaimedRow, Settlement]] = []
    opened: list[tuple[ClaimedRow, UUID]] = []
    for row in rows:
        told_before = row.notification_id not in first_told
        settlement = _without_sending(row, now, policy, told_before=told_before, searchable=searchable)
        if settlement is None:
            opened.append((row, uuid4()))
        else:
            early.append((row, settlement))
    refusals = consent.refusals(session, [row for row, _ in opened], now)
    early += [(row, refusals[row.delivery_id]) for row, _ in opened if row.delivery_id in refusals]
    opened = [(row, token) for row, token in opened if row.delivery_id not in refusals]
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
    row: ClaimedRow, now: datetime, policy: RetryPolicy, *, told_before: bool, searchable: bool
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
    if (until := _evidence_may_come(row, now, policy, searchable=searchable)) is not None:
        return outcomes.still_unknown(row, until)
    if (needless := _needless(row)) is not None:
        return needless
    return _without_evidence(row, policy) if row.opened_at is not None else None


def _needless(row: ClaimedRow) -> Settlement | None:
    if row.arrived_on is not None:
        return outcomes.superseded(row)
    return outcomes.link_over(row) if row.link_over else None


def _evidence_may_come(
    row: ClaimedRow, now: datetime, policy: RetryPolicy, *, searchable: bool
) -> datetime | None:
    """Until when an attempt of unknown outcome waits; None where there is none, or no longer."""
    if row.opened_at is None:
        return None
    wait = timedelta(seconds=policy.unknown_wait_seconds)
    until = row.opened_at + wait
    if until > now:
        return until
    # What is known already or can still be asked comes before another send. After an outage of ours the wait
    # is over before anybody has looked.
    if row.unheard:
        return now + HEARD_WITHIN
    # Beyond the horizon a question is taken off as it is put: to wait for a trace of it would never end.
    latest = row.opened_at + HORIZON if row.searches is None else until + wait
    if searchable and not row.searches and now < latest:
        return now + SEARCH_AGAIN
    return None


def _without_evidence(row: ClaimedRow, policy: RetryPolicy) -> Settlement | None:
    """What an attempt that stayed unknown asks for: a person, an end; None: another send."""
    if policy.hold_unknown:
        return outcomes.held(row)
    return outcomes.given_up(row) if row.unproved >= policy.retries else None
