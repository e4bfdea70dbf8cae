"""The dispatch queue: claim, settle, and everything in between that is one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, time
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A leased delivery, or letter, with what is needed to judge and render it.

    A letter has no notification and no person, and its words are always ours.

    ``status`` is None where the delivery's row has vanished. ``place_held_by`` is the delivery that holds
    the (notification, channel). ``announced_as`` is the notification that told this person of the same event
    before, or this one itself where it tells of a notice, and ``announced_by`` who wrote it.
    ``open_token`` is an attempt whose outcome is unknown, ``unproved`` how many before it were given up for
    want of evidence. ``unheard`` is whether a callback about it is stored and not worked off, ``searches``
    how often its provider's list was searched for it, None where that was never put down.
    ``last_inbound_at`` is when the recipient last wrote to us on this channel. ``arrived_on`` is the channel
    that this one took over from, where the message has arrived there after all. ``link_over`` is whether a
    letter's payment link is of no use any more. The rest is what the person has said, as in
    ``fleet.preferences``.
    """

    delivery_id: UUID
    channel: str
    tries: int
    attempts: int
    unproved: int
    status: str | None
    recipient: str | None
    notification_id: UUID | None
    user_id: UUID | None
    event_id: UUID | None
    title: str | None
    message: str | None
    template_code: str | None
    payload: Mapping[str, Any] | None
    action_url: str | None
    full_name: str | None
    place_held_by: UUID | None
    announced_as: UUID | None
    announced_by: str | None
    open_token: UUID | None
    opened_at: datetime | None
    unheard: bool
    searches: int | None
    last_inbound_at: datetime | None
    arrived_on: str | None = None
    link_over: bool = False
    locale: str | None = None
    time_zone: str | None = None
    refused_channels: Sequence[str] = ()
    opted_out: Sequence[str] = ()
    quiet_from: time | None = None
    quiet_to: time | None = None


# Materialized: the locking sub-select must run once, or more rows than the limit would be locked.
_LEASE = """
    with picked as materialized (
      {picked}
    ), leased as (
      update fleet.dispatch q set lease_until = :lease_until
      from picked where q.delivery_id = picked.delivery_id
      returning q.delivery_id, q.channel, q.tries, q.due_at, q.priority
    )
    select
      l.delivery_id, l.channel, l.tries,
      (select coalesce(max(a.number), 0)
       from fleet.attempts a where a.delivery_id = l.delivery_id) as attempts,
      (select count(*) from fleet.attempts a
       where a.delivery_id = l.delivery_id and a.outcome = 'NO_EVIDENCE') as unproved,
      coalesce(d.status::text, letter.status) as status, coalesce(d.recipient, letter.recipient) as recipient,
      n.id as notification_id, n.user_id, n.event_id, n.title, n.message,
      coalesce(n.template_code, letter.template_code) as template_code,
      coalesce(n.payload, letter.payload) as payload, coalesce(n.action_url, letter.action_url) as action_url,
      coalesce(person.full_name, letter.recipient_name) as full_name,
      place.delivery_id as place_held_by,
      coalesce(announced.notification_id, notice.notification_id) as announced_as,
      case when coalesce(letter.id, notice.id) is not null then 'FLEET' else announced.announced_by end
        as announced_by,
      open_attempt.token as open_token, open_attempt.opened_at,
      exists (
        select from fleet.inbox i
        where i.body ->> 'attempt' = open_attempt.token::text
          and i.handled_at is null and i.parked_at is null) as unheard,
      (select k.tries from fleet.lookups k where k.token = open_attempt.token) as searches,
      conversation.last_inbound_at,
      (select f.from_channel
       from fleet.fallbacks f join fleet.receipts r on r.delivery_id = f.from_delivery_id
       where f.notification_id = d.notification_id and f.to_delivery_id = d.id
         and coalesce(r.delivered_at, r.opened_at, r.clicked_at) is not null
       limit 1) as arrived_on,
      letter.id is not null and coalesce((
        select link.used_at is not null or coalesce(link.expires_at <= :now, false)
          or exists (select from public.orders o where o.payment_link_id = link.id)
        from public.payment_links link where link.id = letter.payment_link_id), true) as link_over,
      coalesce(said.locale, letter.locale) as locale, said.time_zone,
      coalesce(said.refused_channels, '{{}}') as refused_channels,
      coalesce(said.opted_out, '{{}}') as opted_out, said.quiet_from, said.quiet_to
    from leased l
    left join public.notification_deliveries d on d.id = l.delivery_id
    left join fleet.letters letter on letter.id = l.delivery_id
    left join public.notifications n on n.id = d.notification_id
    left join public.profiles person on person.id = n.user_id
    left join fleet.preferences said on said.user_id = n.user_id
    left join fleet.delivery_places place
      on place.notification_id = d.notification_id and place.channel = d.channel::text
    left join lateral (
      select a.notification_id, a.announced_by from fleet.announcements a
      where a.event_id = n.event_id and a.user_id = n.user_id
        and (n.template_code is null or a.template_code = n.template_code or a.announced_by = 'FLEET')
      order by a.notification_id = n.id desc
      limit 1
    ) announced on true
    left join fleet.notices notice
      on n.event_id is null and notice.user_id = n.user_id and notice.notification_id = n.id
    left join fleet.attempts open_attempt
      on open_attempt.delivery_id = l.delivery_id and open_attempt.closed_at is null
    left join fleet.conversations conversation
      on conversation.channel = l.channel and conversation.address = d.recipient
    order by l.priority, l.due_at
"""
# Each priority by itself, for then the index gives what is due at once, however much of a more urgent
# priority waits for a later time. What is locked beyond the limit is free again with the commit.
# greatest(): a worker whose clock is behind the database's still sees what was enqueued a moment ago.
_CLAIM_DUE = text(
    _LEASE.format(
        picked="""
      select due.delivery_id
      from (values (1), (2), (3)) as p(priority)
      cross join lateral (
        select delivery_id, due_at from fleet.dispatch
        where channel = :channel and priority = p.priority and due_at <= greatest(:now, now())
          and parked_at is null and (lease_until is null or lease_until <= greatest(:now, now()))
        order by due_at
        limit :limit
        for update skip locked
      ) due
      order by p.priority, due.due_at
      limit :limit"""
    )
)
_CLAIM_ONE = text(
    _LEASE.format(
        picked="""
      select delivery_id from fleet.dispatch
      where delivery_id = :delivery_id and channel = :channel
        and parked_at is null and (lease_until is null or lease_until <= greatest(:now, now()))
      for update skip locked"""
    )
)

_EXPIRE_ATTEMPTS = text("""
    update fleet.attempts set closed_at = :now, outcome = 'NO_EVIDENCE', evidence = 'NONE'
    where token = any(:tokens) and closed_at is null
    returning token
""")

_OPEN_ATTEMPTS = text("""
    insert into fleet.attempts (token, delivery_id, number, channel, provider, opened_at)
    select token, delivery_id, number, channel, provider, :now
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(token uuid, delivery_id uuid, number integer, channel text, provider text)
""")

# A delivery's outcome, or a letter's, in the same columns.
_WRITTEN = """
      update {table} d
      set status = {status},
          sent_at = case when s.state = 'SENT' then cast(:now as timestamptz) end,
          failed_at = case when s.state = 'FAILED' then cast(:now as timestamptz) end,
          provider = coalesce(s.provider, d.provider),
          provider_message_id = s.message_id,
          provider_response = s.response
      from settled s
      where d.id = s.delivery_id and s.state in ('SENT', 'FAILED') and d.status::text = 'PENDING'"""
_DELIVERIES = {"table": "public.notification_deliveries", "status": "s.state::public.notification_status"}
_LETTERS = {"table": "fleet.letters", "status": "s.state"}

# One statement a batch. A status only moves forward: what is no longer PENDING is not touched, an attempt
# that a callback has closed stays as the callback left it, and a worker whose attempt is no longer open (it
# stalled past its lease) has no say in the queue any more. Only a late acceptance counts: it is evidence.
_SETTLE = text(f"""
    with settled as (
      select r.* from jsonb_to_recordset(cast(:rows as jsonb)) as r(
        delivery_id uuid, token uuid, state text, due_at timestamptz, tries integer,
        outcome text, code text, message text, provider text, message_id text, segments integer,
        response jsonb)
      left join fleet.attempts a on a.token = r.token
      where r.token is null or a.closed_at is null
        or (a.outcome = 'NO_EVIDENCE' and r.outcome = 'ACCEPTED')
    ), closed as (
      update fleet.attempts a
      set closed_at = case when s.outcome is not null then cast(:now as timestamptz) end,
          outcome = s.outcome,
          evidence = case when s.outcome = 'NO_EVIDENCE' then 'NONE'
                          when s.outcome is not null then 'ANSWER' end,
          code = s.code, message = s.message, provider_message_id = s.message_id, segments = s.segments
      from settled s
      where a.token = s.token
        -- Once more, on the row as it is now: a callback may have closed it since the look above.
        and (a.closed_at is null or (a.outcome = 'NO_EVIDENCE' and s.outcome = 'ACCEPTED'))
    ), delivered as ({_WRITTEN.format(**_DELIVERIES)}
    ), lettered as ({_WRITTEN.format(**_LETTERS)}
    ), ended as (
      delete from fleet.dispatch q using settled s
      where q.delivery_id = s.delivery_id and s.state in ('SENT', 'FAILED', 'GONE')
    )
    update fleet.dispatch q
    set lease_until = null, due_at = coalesce(s.due_at, q.due_at), tries = s.tries,
        last_code = coalesce(s.code, q.last_code),
        parked_at = case when s.state = 'PARKED' then cast(:now as timestamptz) end
    from settled s
    where q.delivery_id = s.delivery_id and s.state in ('WAITING', 'PARKED')
""")  # noqa: S608 - our own names


def claim_due(
    session: Session, channel: str, limit: int, now: datetime, lease_until: datetime
) -> list[ClaimedRow]:
    """Lease up to ``limit`` due deliveries of a channel until ``lease_until``.

    The most urgent come first, and among equals those that have been due the longest.
    """
    values = {"channel": channel, "limit": limit, "now": now, "lease_until": lease_until}
    return [ClaimedRow(**row) for row in session.execute(_CLAIM_DUE, values).mappings()]


def claim_one(
    session: Session, delivery_id: UUID, channel: str, now: datetime, lease_until: datetime
) -> ClaimedRow | None:
    """Lease one delivery, due or not; None where the channel has it not queued, or another has it."""
    values = {"channel": channel, "delivery_id": delivery_id, "now": now, "lease_until": lease_until}
    row = session.execute(_CLAIM_ONE, values).mappings().first()
    return None if row is None else ClaimedRow(**row)


def expire_attempts(session: Session, tokens: Sequence[UUID], now: datetime) -> set[UUID]:
    """Close attempts for want of evidence; return those that were still open."""
    return set(session.scalars(_EXPIRE_ATTEMPTS, {"tokens": list(tokens), "now": now})) if tokens else set()


def open_attempts(session: Session, rows: str, now: datetime) -> None:
    """Open an attempt for each of a JSON array."""
    session.execute(_OPEN_ATTEMPTS, {"rows": rows, "now": now})


def settle(session: Session, rows: str, now: datetime) -> None:
    """Write the outcomes of a JSON array: attempts, deliveries, letters and queue, in one statement."""
    session.execute(_SETTLE, {"rows": rows, "now": now})
