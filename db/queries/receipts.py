"""What providers say of messages that they have accepted.

Two statements, to be run in this order in one transaction, with those of ``conclusions`` after them: ``hold``
the rows, ``record`` what was said. Each sees what the one before it has written.

Nothing here waits for a row that others lock in an order of their own: what another transaction holds is
left for the next time. So no two workers, and no worker and a settling, wait for each other in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Held:
    """Whose message a callback speaks of.

    Attributes:
        number: The callback's, as it was given.
        token: The attempt's; None where it is no attempt of ours.
        channel: The attempt's.
        held: Whether its rows are locked for this transaction; otherwise another has them just now.
    """

    number: int
    token: UUID | None
    channel: str | None
    held: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was new.

    Attributes:
        token: The attempt's.
        delivery_id: Its delivery.
        proved: Whether the attempt's outcome was unknown, or known otherwise, and is now ACCEPTED.
        added: Whether something was said for the first time.
        state: The state, where it or its code or reason is another than before.
    """

    token: UUID
    delivery_id: UUID
    proved: bool
    added: bool
    state: str | None


_HOLD = text("""
    with named as materialized (
      select r.number, r.provider, coalesce(r.token, (
        select a.token from fleet.attempts a
        where a.provider = r.provider and a.provider_message_id = r.message_id
        order by a.opened_at limit 1)) as token
      from jsonb_to_recordset(cast(:rows as jsonb))
        as r(number integer, provider text, token uuid, message_id text)
    ), attempts as materialized (
      select a.token, a.delivery_id from fleet.attempts a
      where a.token in (select token from named)
      for update skip locked
    ), deliveries as materialized (
      select d.id from public.notification_deliveries d
      where d.id in (select delivery_id from attempts)
      for update skip locked
    ), letters as materialized (
      select l.id from fleet.letters l
      where l.id in (select delivery_id from attempts)
      for update skip locked
    )
    select n.number, a.token, a.channel, h.token is not null and (
        d.id is not null or l.id is not null
        or not exists (select from public.notification_deliveries g where g.id = a.delivery_id)
        and not exists (select from fleet.letters g where g.id = a.delivery_id)) as held
    from named n
    left join fleet.attempts a on a.token = n.token and a.provider = n.provider
    left join attempts h on h.token = a.token
    left join deliveries d on d.id = a.delivery_id
    left join letters l on l.id = a.delivery_id
""")

# The one rule by which a thousand callbacks in any order come to the same row: the state is the furthest that
# was told, each time the earliest, code and reason those of the first word of that state. What the row holds
# already is one more voice among those that are heard now.
_RECORD = text("""
    with told as materialized (
      select * from jsonb_to_recordset(cast(:rows as jsonb))
        as r(token uuid, message_id text, state text, at timestamptz, code text, reason text)
    ), voices as (
      select token, state, at, code, reason from told where state is not null
      union all
      select r.token, v.state, v.at, case when v.state = r.state then r.code end,
        case when v.state = r.state then r.reason end
      from fleet.receipts r
      cross join lateral (values
        ('DEFERRED', r.deferred_at), ('SENT', r.sent_at), ('DELIVERED', r.delivered_at),
        ('OPENED', r.opened_at), ('CLICKED', r.clicked_at), ('FAILED', r.failed_at),
        ('BOUNCED', r.bounced_at)) v(state, at)
      where r.token in (select token from told) and v.at is not null
    ), ranked as (
      select v.*, array_position(
        array['DEFERRED', 'SENT', 'DELIVERED', 'OPENED', 'CLICKED', 'FAILED', 'BOUNCED'], v.state) as rank
      from voices v
    ), joined as (
      select token,
        (array_agg(state order by rank desc))[1] as state,
        min(at) filter (where state = 'DEFERRED') as deferred_at,
        min(at) filter (where state = 'SENT') as sent_at,
        min(at) filter (where state = 'DELIVERED') as delivered_at,
        min(at) filter (where state = 'OPENED') as opened_at,
        min(at) filter (where state = 'CLICKED') as clicked_at,
        min(at) filter (where state = 'FAILED') as failed_at,
        min(at) filter (where state = 'BOUNCED') as bounced_at,
        (array_agg(code order by rank desc, at, code collate "C", reason collate "C"))[1] as code,
        (array_agg(reason order by rank desc, at, code collate "C", reason collate "C"))[1] as reason
      from ranked group by token
    ), recorded as (
      insert into fleet.receipts as r (token, delivery_id, state, deferred_at, sent_at, delivered_at,
        opened_at, clicked_at, failed_at, bounced_at, code, reason, updated_at)
      select j.token, a.delivery_id, j.state, j.deferred_at, j.sent_at, j.delivered_at, j.opened_at,
        j.clicked_at, j.failed_at, j.bounced_at, j.code, j.reason, :now
      from joined j join fleet.attempts a using (token)
      on conflict (token) do update
      set state = excluded.state, deferred_at = excluded.deferred_at, sent_at = excluded.sent_at,
          delivered_at = excluded.delivered_at, opened_at = excluded.opened_at,
          clicked_at = excluded.clicked_at, failed_at = excluded.failed_at, bounced_at = excluded.bounced_at,
          code = excluded.code, reason = excluded.reason, updated_at = excluded.updated_at
      where (r.state, r.deferred_at, r.sent_at, r.delivered_at, r.opened_at, r.clicked_at, r.failed_at,
             r.bounced_at, r.code, r.reason)
        is distinct from
            (excluded.state, excluded.deferred_at, excluded.sent_at, excluded.delivered_at,
             excluded.opened_at, excluded.clicked_at, excluded.failed_at, excluded.bounced_at,
             excluded.code, excluded.reason)
      returning token, state, code, reason
    ), proved as (
      update fleet.attempts a
      set closed_at = :now, outcome = 'ACCEPTED', evidence = :evidence, provider_message_id = p.message_id
      from (select token, coalesce(min(message_id), 'unknown') as message_id from told group by token) p
      where a.token = p.token and a.outcome is distinct from 'ACCEPTED'
      returning a.token
    )
    select a.token, a.delivery_id, p.token is not null as proved, r.token is not null as added,
      case when (r.state, r.code, r.reason) is distinct from (before.state, before.code, before.reason)
        then r.state end as state
    from fleet.attempts a
    left join recorded r on r.token = a.token
    left join proved p on p.token = a.token
    left join fleet.receipts before on before.token = a.token
    where r.token is not null or p.token is not null
""")


def hold(session: Session, rows: str) -> list[Held]:
    """Find the attempts that callbacks speak of, and lock them and their deliveries or letters.

    Args:
        session: The transaction.
        rows: A JSON array of ``{number, provider, token, message_id}``; without a token the provider's id of
            the message decides.

    Returns:
        One for each row.
    """
    return [Held(**row) for row in session.execute(_HOLD, {"rows": rows}).mappings()]


def record(session: Session, rows: str, evidence: str, now: datetime) -> list[Recorded]:
    """Add what was said of attempts that this transaction holds; each is proved to have been accepted.

    Args:
        session: The transaction.
        rows: A JSON array of ``{token, message_id, state, at, code, reason}``; without a state it proves that
            the provider has the message, and no more.
        evidence: CALLBACK or LOOKUP.
        now: The time to record.

    Returns:
        One for each attempt of which something is new.
    """
    values = {"rows": rows, "evidence": evidence, "now": now}
    return [Recorded(**row) for row in session.execute(_RECORD, values).mappings()]
