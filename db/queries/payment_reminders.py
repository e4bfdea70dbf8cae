"""The platform's own list of reminders: a row for each channel on which a person was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

_TOLD = text("""
    insert into public.payment_reminders (user_id, order_id, sent_via, sent_at)
    select r.user_id, r.order_id, d.channel, :now
    from fleet.reminders r
    join fleet.notices told on told.id = r.notice_id
    join public.notification_deliveries d on d.notification_id = told.notification_id
    where told.id = any(:notice_ids)
""")
# A notification bears no mark of its notice; those of one person are few.
_GIVEN_WAY = text("""
    insert into public.payment_reminders (user_id, order_id, sent_via, sent_at)
    select r.user_id, r.order_id, d.channel, :now
    from public.notification_deliveries d
    join public.notifications n on n.id = d.notification_id
    join fleet.notices told on told.user_id = n.user_id and told.notification_id = n.id
    join fleet.reminders r on r.notice_id = told.id
    where d.id = any(:delivery_ids)
""")


def told(session: Session, notice_ids: Sequence[UUID], now: datetime) -> None:
    """List the deliveries of reminders' notices, in the transaction that has told them."""
    if notice_ids:
        session.execute(_TOLD, {"notice_ids": list(notice_ids), "now": now})


def given_way(session: Session, delivery_ids: Sequence[UUID], now: datetime) -> None:
    """List deliveries that have taken over from others, those of reminders among them."""
    if delivery_ids:
        session.execute(_GIVEN_WAY, {"delivery_ids": list(delivery_ids), "now": now})
