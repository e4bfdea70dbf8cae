"""Deliveries that wait to be sent, given up by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

CODE: Final = "given_up"
"""What such a delivery ends with."""

# Locked as whoever settles locks them: the deliveries in the order of their ids, then the queue. What a
# worker has in hand is left: its message may have gone already. An open attempt is closed for want of
# evidence, and what the provider says of it later still counts.
_GIVE_UP = text("""
    with delivered as materialized (
      select id from public.notification_deliveries
      where id = any(:ids) and status::text = 'PENDING' order by id for update
    ), lettered as materialized (
      select id from fleet.letters where id = any(:ids) and status = 'PENDING' order by id for update
    ), waiting as materialized (
      select id from delivered union all select id from lettered
    ), given as (
      delete from fleet.dispatch q using waiting
      where q.delivery_id = waiting.id and (q.lease_until is null or q.lease_until <= greatest(:now, now()))
      returning q.delivery_id
    ), closed as (
      update fleet.attempts a set closed_at = :now, outcome = 'NO_EVIDENCE', evidence = 'NONE'
      from given where a.delivery_id = given.delivery_id and a.closed_at is null
    ), deliveries as (
      update public.notification_deliveries d
      set status = 'FAILED', failed_at = :now, provider_response = cast(:response as jsonb)
      from given where d.id = given.delivery_id
    ), letters as (
      update fleet.letters l
      set status = 'FAILED', failed_at = :now, provider_response = cast(:response as jsonb)
      from given where l.id = given.delivery_id
    )
    select delivery_id from given
""")


def give_up(session: Session, ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """End deliveries that wait to be sent as FAILED, with ``CODE``.

    Returns:
        Those that it ended: what has had its last word, or is in a worker's hands, is left alone.
    """
    values = {"ids": list(ids), "now": now, "response": json.dumps({"code": CODE})}
    return list(session.scalars(_GIVE_UP, values))
