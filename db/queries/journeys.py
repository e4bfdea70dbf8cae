"""Where a message of which something was said comes from, for who follows an event to its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Heard:
    """An attempt with the furthest that was said of it; ids and states alone.

    Attributes:
        token: The attempt's.
        delivery_id: Its delivery, or letter.
        number: Which of the delivery's attempts it is.
        channel: The attempt's.
        provider: Who was handed it.
        evidence: How it was learnt that the provider has it.
        accepted_at: When the provider took it; where its answer was lost, when it was handed it.
        state: As in ``fleet.receipts``; None where it was said to be accepted, and no more.
        at: When it came to that state.
        code: The provider's code of what went wrong.
        notification_id: Its notification; None for a letter.
        event_id: What that tells of, if an event stands for it.
    """

    token: UUID
    delivery_id: UUID
    number: int
    channel: str
    provider: str
    evidence: str | None
    accepted_at: datetime
    state: str | None
    at: datetime | None
    code: str | None
    notification_id: UUID | None
    event_id: UUID | None


_HEARD = text("""
    select a.token, a.delivery_id, a.number, a.channel, a.provider, a.evidence,
      case when a.evidence = 'ANSWER' then coalesce(a.closed_at, a.opened_at) else a.opened_at end
        as accepted_at,
      r.state,
      case r.state when 'DEFERRED' then r.deferred_at when 'SENT' then r.sent_at
        when 'DELIVERED' then r.delivered_at when 'OPENED' then r.opened_at when 'CLICKED' then r.clicked_at
        when 'FAILED' then r.failed_at when 'BOUNCED' then r.bounced_at end as at,
      r.code, d.notification_id, n.event_id
    from fleet.attempts a
    left join fleet.receipts r on r.token = a.token
    left join public.notification_deliveries d on d.id = a.delivery_id
    left join public.notifications n on n.id = d.notification_id
    where a.token = any(:tokens)
""")


def heard(session: Session, tokens: Sequence[UUID]) -> list[Heard]:
    """Read what was said of attempts, as this transaction has written it down."""
    return [Heard(**row) for row in session.execute(_HEARD, {"tokens": list(tokens)}).mappings()]
