"""Deliveries and tries in lists for operators, the newest first, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.queries.overview import CODE, STATE

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Span:
    """Which page of a list.

    Attributes:
        since: What is older is not listed.
        at: The time of the last row of the page before; of the first page the time from which on to go back.
        row_id: That row's id; the greatest there is for the first page.
        limit: How many rows.
    """

    since: datetime
    at: datetime
    row_id: UUID
    limit: int

    def values(self) -> dict[str, object]:
        """As parameters of a statement."""
        return {"since": self.since, "at": self.at, "row_id": self.row_id, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class Try:
    """One try at one delivery, or letter.

    Attributes:
        id: Its token.
        at: When it was opened.
        delivery_id: Of which delivery.
        channel: On which channel.
        number: Counted from 1.
        state: One of ``overview.STATES``.
        code: Why it failed or was put off; else empty.
        status: Where the delivery stands by now.
        recipient: Where to, as it is written.
    """

    id: UUID
    at: datetime
    delivery_id: UUID
    channel: str
    number: int
    state: str
    code: str
    status: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery, or letter.

    Attributes:
        id: Its id.
        at: When its notification was written.
        channel: On which channel.
        status: Where it stands.
        template_code: In which words.
        tries: How many there were.
        code: What it ended with, or what its last try did.
        recipient: Where to, as it is written.
    """

    id: UUID
    at: datetime
    channel: str
    status: str
    template_code: str | None
    tries: int
    code: str | None
    recipient: str


_TRIES = f"""
    select a.token as id, a.opened_at as at, a.delivery_id, a.channel, a.number, {STATE} as state,
      {CODE} as code, coalesce(d.status::text, l.status) as status,
      coalesce(d.recipient, l.recipient) as recipient
    from fleet.attempts a
    left join fleet.receipts r using (token)
    left join fleet.dispatch q on q.delivery_id = a.delivery_id
    left join public.notification_deliveries d on d.id = a.delivery_id
    left join fleet.letters l on l.id = a.delivery_id
    where {{which}} and a.opened_at > :since and a.opened_at <= :at
      and (a.opened_at, a.token) < (:at, :row_id)
      and (cast(:channel as text) is null or a.channel = :channel)
      and (cast(:state as text) is null or {STATE} = :state)
      and (cast(:code as text) is null or {CODE} = :code)
    order by a.opened_at desc, a.token desc
    limit :limit
"""  # noqa: S608 - our own words
_ALL_TRIES = text(_TRIES.format(which="true"))
_OPEN_TRIES = text(
    _TRIES.format(which="a.closed_at is null and (q.lease_until is null or q.lease_until <= :now)")
)

# By the notifications' index of time, for deliveries have none. Each half is cut before they are merged.
_DELIVERIES = text("""
    (
      select d.id, n.created_at as at, d.channel::text, d.status::text, n.template_code,
        (select count(*) from fleet.attempts a where a.delivery_id = d.id) as tries,
        coalesce(d.provider_response ->> 'code', q.last_code) as code, d.recipient
      from public.notifications n
      join public.notification_deliveries d on d.notification_id = n.id
      left join fleet.dispatch q on q.delivery_id = d.id
      where n.created_at > :since and n.created_at <= :at and (n.created_at, d.id) < (:at, :row_id)
        and (cast(:channel as text) is null or d.channel::text = :channel)
        and (cast(:status as text) is null or d.status::text = :status)
        and (cast(:code as text) is null or coalesce(d.provider_response ->> 'code', q.last_code) = :code)
        and (cast(:template as text) is null or n.template_code = :template)
      order by n.created_at desc, d.id desc
      limit :limit
    ) union all (
      select l.id, l.created_at, 'EMAIL', l.status, l.template_code,
        (select count(*) from fleet.attempts a where a.delivery_id = l.id),
        coalesce(l.provider_response ->> 'code', q.last_code), l.recipient
      from fleet.letters l
      left join fleet.dispatch q on q.delivery_id = l.id
      where l.created_at > :since and (l.created_at, l.id) < (:at, :row_id)
        and (cast(:channel as text) is null or :channel = 'EMAIL')
        and (cast(:status as text) is null or l.status = :status)
        and (cast(:code as text) is null or coalesce(l.provider_response ->> 'code', q.last_code) = :code)
        and (cast(:template as text) is null or l.template_code = :template)
      order by l.created_at desc, l.id desc
      limit :limit
    )
    order by at desc, id desc
    limit :limit
""")


def tries(
    session: Session, span: Span, channel: str | None, state: str | None, code: str | None
) -> list[Try]:
    """Tries of a span of time; None means any."""
    return _tries(session, _ALL_TRIES, span, {"channel": channel, "state": state, "code": code})


def unknown(session: Session, span: Span, channel: str | None, now: datetime) -> list[Try]:
    """Tries whose outcome nobody knows, and that no worker is just making."""
    return _tries(session, _OPEN_TRIES, span, {"channel": channel, "state": None, "code": None, "now": now})


def deliveries(  # noqa: PLR0913, PLR0917 - one parameter for each thing that is filtered by
    session: Session,
    span: Span,
    channel: str | None,
    status: str | None,
    code: str | None,
    template: str | None,
) -> list[Delivered]:
    """Deliveries and letters of a span of time; None means any."""
    values = {"channel": channel, "status": status, "code": code, "template": template}
    rows = session.execute(_DELIVERIES, values | span.values()).mappings()
    return [Delivered(**row) for row in rows]


def _tries(session: Session, statement: TextClause, span: Span, values: dict[str, object]) -> list[Try]:
    return [Try(**row) for row in session.execute(statement, values | span.values()).mappings()]
