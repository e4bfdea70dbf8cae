"""Findings: what people have to look at, each kept once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from db.queries import findings as rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from services.payments.words import FindingKind

log = logging.getLogger(__name__)


def find(  # noqa: PLR0913, PLR0917 - a row's own columns
    session: Session,
    kind: FindingKind,
    subject: str,
    details: Mapping[str, object],
    done: str,
    now: datetime,
    order_id: UUID | None = None,
) -> bool:
    """Keep what does not agree. Seen again, it is brought up to date, and stays resolved if it is.

    Args:
        session: The transaction.
        kind: What kind it is of.
        subject: What it is about; with the kind it is unique.
        details: Ids, amounts and Stripe's words; no personal data.
        done: What was done about it.
        now: UTC.
        order_id: The order concerned.

    Returns:
        Whether it is new.
    """
    new = rows.put(session, kind, subject, details, done, now, order_id=order_id)
    if new:
        log.warning("finding %s about %s, order %s: %s", kind, subject, order_id, done)
    return new
