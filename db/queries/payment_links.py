"""Payment links: those to be mailed, those that nobody used in time, and those that are made by hand.

A link that ran out unused bears ``used_at`` without ``used_by``: the platform's pages take it as used up. One
that an order names is used, whatever it bears.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

MAILED: Final = "PAYMENT_LINK"
"""The template of a link's letter."""

REMINDED: Final = "PAYMENT_LINK_REMINDER"
"""The template of its reminder."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a link may be for; the amount in the currency's smallest unit."""

    id: UUID
    code: str
    name: str
    amount: int
    currency: str
    active: bool


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link as it is inserted; its token is the holder's secret."""

    token: str
    product_id: UUID
    prospect_email: str
    prospect_name: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ListedLink:
    """A link in a list, without its token.

    Attributes:
        id: The link's.
        created_at: When it was made.
        expires_at: When it runs out; None where it never does.
        used_at: When it was used, or ran out unused.
        product: The product's code.
        prospect_email: Whom it was made for.
        state: OPEN, USED or EXPIRED.
        mailed: The status of its letter, as of a delivery; None where there is none.
        reminded: The same of its reminder.
    """

    id: UUID
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    product: str
    prospect_email: str
    state: str
    mailed: str | None
    reminded: str | None


@dataclass(frozen=True, slots=True)
class Moments:
    """When a link is to be reminded of.

    Attributes:
        now: It has not run out by then.
        ends_by: It runs out by then.
        mailed_by: Its letter was sent by then.
    """

    now: datetime
    ends_by: datetime
    mailed_by: datetime


_ORDERED = "exists (select from public.orders o where o.payment_link_id = link.id)"

# What has no @ is no address, or was erased. The payload is for the words: nothing personal, and no token.
_WRITE = """
    with open as materialized (
      select link.id, link.token, trim(link.prospect_email) as recipient, link.prospect_name,
        jsonb_strip_nulls(jsonb_build_object(
          'product', product.name, 'amount', product.price_amount, 'currency', product.currency,
          'expires_on', (link.expires_at at time zone 'UTC')::date)) as payload
      from public.payment_links link
      join public.products product on product.id = link.product_id
      where link.used_at is null and position('@' in link.prospect_email) > 1
        and not {ordered}
        and not exists (
          select from fleet.letters l where l.payment_link_id = link.id and l.template_code = :template)
        and {due}
      order by link.created_at
      limit :limit
    ), lettered as (
      insert into fleet.letters
        (payment_link_id, template_code, recipient, recipient_name, payload, action_url, created_at)
      select id, :template, recipient, prospect_name, payload, replace(:path, '{{token}}', token), :now
      from open
      on conflict do nothing
      returning id
    ), queued as (
      insert into fleet.dispatch (delivery_id, channel) select id, 'EMAIL' from lettered
    )
    select count(*), case when count(*) > 0 then pg_notify('fleet', 'email')::text end from lettered
"""
_NEW = """
    link.created_at >= (select installed_at from fleet.installation)
    and (link.expires_at is null or link.expires_at > :now)"""
_ENDING = f"""
    link.expires_at > :now and link.expires_at <= :ends_by
    and exists (
      select from fleet.letters first
      where first.payment_link_id = link.id and first.template_code = '{MAILED}'
        and first.status = 'SENT' and first.sent_at <= :mailed_by)"""
_MAIL = text(_WRITE.format(ordered=_ORDERED, due=_NEW))
_MAIL_ONE = text(_WRITE.format(ordered=_ORDERED, due="link.id = :link_id"))
_REMIND = text(_WRITE.format(ordered=_ORDERED, due=_ENDING))

# Whoever uses it at this moment holds it: then it is looked at anew the next time.
_EXPIRE = text(f"""
    with over as materialized (
      select link.id from public.payment_links link
      where link.used_at is null and link.expires_at <= :now and not {_ORDERED}
      limit :limit
      for no key update of link skip locked
    )
    update public.payment_links link set used_at = link.expires_at
    from over where link.id = over.id
    returning link.id
""")  # noqa: S608 - our own names

_PRODUCTS = text(
    "select id, code, name, price_amount as amount, currency, active from public.products order by code"
)
_INSERT = text("""
    insert into public.payment_links
      (token, product_id, prospect_email, prospect_name, created_at, expires_at)
    values (:token, :product_id, :prospect_email, :prospect_name, :created_at, :expires_at)
    returning id
""")
_LIST = text(f"""
    with told as (
      select link.id, link.created_at, link.expires_at, link.used_at, product.code as product,
        link.prospect_email, mailed.status as mailed, reminded.status as reminded,
        case
          when link.used_by is not null or {_ORDERED} then 'USED'
          when coalesce(link.used_at, :now) >= link.expires_at then 'EXPIRED'
          when link.used_at is not null then 'USED'
          else 'OPEN'
        end as state
      from public.payment_links link
      join public.products product on product.id = link.product_id
      left join fleet.letters mailed on mailed.payment_link_id = link.id and mailed.template_code = '{MAILED}'
      left join fleet.letters reminded
        on reminded.payment_link_id = link.id and reminded.template_code = '{REMINDED}'
    )
    select * from told where cast(:state as text) is null or state = :state
    order by created_at desc, id
    limit :limit
""")  # noqa: S608 - our own names


def mail(session: Session, path: str, now: datetime, limit: int) -> int:
    """Write a letter for each link that has none and may still be used; return how many.

    Args:
        session: The transaction.
        path: The page of the platform's site where a link leads, with ``{token}`` in it.
        now: The time to record.
        limit: At most so many.
    """
    return _write(session, _MAIL, template=MAILED, path=path, now=now, limit=limit)


def mail_one(session: Session, link_id: UUID, path: str, now: datetime) -> bool:
    """Write one link's letter, as ``mail`` does; whether there was none yet."""
    return bool(_write(session, _MAIL_ONE, template=MAILED, path=path, now=now, limit=1, link_id=link_id))


def remind(session: Session, path: str, moments: Moments, limit: int) -> int:
    """Write a second letter for each link that runs out soon, and has none; arguments as for ``mail``."""
    return _write(session, _REMIND, template=REMINDED, path=path, limit=limit, **asdict(moments))


def _write(session: Session, statement: Any, **values: object) -> int:
    return int(session.execute(statement, values).scalar_one())


def expire(session: Session, now: datetime, limit: int) -> int:
    """Mark up to ``limit`` links that ran out unused; return how many."""
    return len(session.execute(_EXPIRE, {"now": now, "limit": limit}).all())


def products(session: Session) -> list[Product]:
    """All products, by their codes."""
    return [Product(**row) for row in session.execute(_PRODUCTS).mappings()]


def insert(session: Session, link: NewLink) -> UUID:
    """Insert a link that nobody of the platform's has made; its id comes back."""
    link_id: UUID = session.execute(_INSERT, asdict(link)).scalar_one()
    return link_id


def listing(session: Session, state: str | None, limit: int, now: datetime) -> Sequence[ListedLink]:
    """Links in a state, or in any, the newest first."""
    values = {"state": state, "limit": limit, "now": now}
    return [ListedLink(**row) for row in session.execute(_LIST, values).mappings()]
