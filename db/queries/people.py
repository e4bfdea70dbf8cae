"""What belongs to one person: found once, as ids, for whatever is to be done with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

MARKS: Final = " .-()/\u00a0\u202f"
"""What may stand between the digits of a number."""


def mentions(text_: str) -> str:
    """Write the condition that a text, given as an expression, has one of a person's addresses in it.

    A pattern takes some 20 µs a row: most rows are told apart by the hints, at a tenth of that.
    """
    return (
        f"case when lower(translate({text_}, :marks, '')) like any(cast(:hints as text[]))"
        f" then {text_} ~* cast(:pattern as text) else false end"
    )


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is, as the platform has it now.

    Attributes:
        user_id: Of ``profiles`` and ``auth.users``.
        known: Whether the platform has a row of the person's in either.
        full_name: As it is in the profile.
        phone: As it is written there.
        email: Of the account.
        recipients: The channels and addresses that anything was ever sent to, and to nobody else; those of
            payment links that the person has used are among them.
    """

    user_id: UUID
    known: bool
    full_name: str | None
    phone: str | None
    email: str | None
    recipients: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a person is reached by, now and before, and how to find it in a text.

    Attributes:
        emails: Lower case.
        numbers: In international form.
        email_pattern: Finds the e-mail addresses, matched without regard to case; None for none.
        number_pattern: Finds the numbers in every spelling.
        pattern: Finds either.
        hints: For LIKE, on a text in lower case without ``MARKS``: where none of them is, nothing is found.
        named: Finds either, or the person's name.
    """

    emails: list[str]
    numbers: list[str]
    email_pattern: str | None
    number_pattern: str | None
    pattern: str | None
    hints: list[str]
    named: str | None


@dataclass(frozen=True, slots=True)
class Belongings:
    """The ids of what is a person's.

    Attributes:
        notifications: Those to the person, also those that the platform has deleted since.
        deliveries: Of these, and letters.
        payment_links: Those that the person has used, or that were made for one of the person's addresses.
        orders: The person's.
        tokens: Of the attempts at the deliveries.
        messages: The providers' ids of the messages of these attempts.
        events: What happened to the person, or to a dossier, an order or anything else of the person's.
    """

    notifications: list[UUID]
    deliveries: list[UUID]
    payment_links: list[UUID]
    orders: list[UUID]
    tokens: list[UUID]
    messages: list[str]
    events: list[UUID]


@dataclass(frozen=True, slots=True)
class Scope:
    """One person with all that is known of where the data are.

    Attributes:
        user_id: The person.
        addresses: What the person is reached by.
        belongings: What is the person's.
        marker: What stands in place of a text or an address that was erased.
    """

    user_id: UUID
    addresses: Addresses
    belongings: Belongings
    marker: str

    def values(self) -> dict[str, object]:
        """As the parameters of a statement."""
        mine = self.belongings
        return {
            **asdict(self.addresses),
            **asdict(mine),
            "user_id": self.user_id,
            "user_text": str(self.user_id),
            "tokens_text": [str(token) for token in mine.tokens],
            "subjects": [
                *(self.user_id, *mine.notifications, *mine.deliveries, *mine.payment_links, *mine.tokens),
                *mine.events,
            ],
            "marks": MARKS,
            "marker": self.marker,
        }


_PERSON = text("""
    select person.id is not null or account.id is not null as known,
      person.full_name, nullif(trim(person.phone), '') as phone, nullif(trim(account.email), '') as email
    from (select cast(:user_id as uuid) as id) me
    left join public.profiles person on person.id = me.id
    left join auth.users account on account.id = me.id
""")

# An address that another person is written to at, such as an office's, does not say whom a text is about.
_RECIPIENTS = text("""
    select d.channel::text as channel, trim(d.recipient) as recipient
    from public.notifications n
    join public.notification_deliveries d on d.notification_id = n.id
    where d.channel::text in ('EMAIL', 'SMS', 'WHATSAPP') and d.recipient in (
      select o.recipient from public.notification_deliveries o
      where o.notification_id in (select id from public.notifications where user_id = :user_id))
    group by 1, 2
    having bool_and(n.user_id = :user_id)
    union
    select 'EMAIL', trim(l.prospect_email) from public.payment_links l
    where l.used_by = :user_id
      and not exists (
        select from public.payment_links o
        where o.used_by <> :user_id and lower(trim(o.prospect_email)) = lower(trim(l.prospect_email)))
      and not exists (
        select from auth.users u
        where u.id <> :user_id and lower(u.email) = lower(trim(l.prospect_email)))
      and not exists (
        select from public.notification_deliveries d join public.notifications n on n.id = d.notification_id
        where n.user_id <> :user_id and lower(trim(d.recipient)) = lower(trim(l.prospect_email)))
    order by 1, 2
""")

# Where the platform has deleted the person, its rows are gone and the fleet's own still say what they were.
_BELONGINGS = text(f"""
    with told as materialized (
      select id from public.notifications where user_id = :user_id
      union select notification_id from fleet.announcements where user_id = :user_id
      union select notification_id from fleet.fallbacks where user_id = :user_id
      union
      select notification_id from fleet.notices where user_id = :user_id and notification_id is not null
    ), linked as materialized (
      select id from public.payment_links
      where used_by = :user_id or lower(trim(prospect_email)) = any(cast(:emails as text[]))
    ), sent as materialized (
      select d.id from public.notification_deliveries d where d.notification_id in (select id from told)
      union select p.delivery_id from fleet.delivery_places p where p.notification_id in (select id from told)
      union
      select d.id from fleet.fallbacks f
      cross join lateral (values (f.from_delivery_id), (f.to_delivery_id)) d(id)
      where f.user_id = :user_id and d.id is not null
      union
      select i.subject from fleet.interventions i
      where fleet.as_uuid(i.details ->> 'notification_id') in (select id from told)
      union
      select l.id from fleet.letters l
      where l.payment_link_id in (select id from linked)
        or lower(l.recipient) = any(cast(:emails as text[]))
    ), tried as materialized (
      select token, provider_message_id from fleet.attempts where delivery_id in (select id from sent)
    ), dossiers as materialized (
      select id from public.dossiers where user_id = :user_id
    ), documents as materialized (
      select id from public.documents where dossier_id in (select id from dossiers)
    ), bought as materialized (
      select id from public.orders where user_id = :user_id
      union select order_id from fleet.notices where user_id = :user_id and order_id is not null
    ), things as materialized (
      select cast(:user_id as uuid) as id
      union select id from dossiers
      union select id from documents
      union select id from bought
      union select id from public.document_versions where document_id in (select id from documents)
      union select id from public.step_instances where dossier_id in (select id from dossiers)
      union select id from public.messages where dossier_id in (select id from dossiers)
    ), happened as (
      select e.id from public.events e
      where e.entity_id in (select id from things)
        or e.actor_id = :user_id
        or e.payload ->> 'user_id' in (select id::text from things)
        or e.payload ->> 'dossier_id' in (select id::text from things)
        or e.payload ->> 'order_id' in (select id::text from things)
        or {mentions("e.payload::text")}
      union select n.event_id from public.notifications n
      where n.user_id = :user_id and n.event_id is not null
      union select a.event_id from fleet.announcements a where a.user_id = :user_id
    )
    select
      array(select id from told order by id) as notifications,
      array(select id from sent order by id) as deliveries,
      array(select id from linked order by id) as payment_links,
      array(select id from bought order by id) as orders,
      array(select token from tried order by token) as tokens,
      array(
        select provider_message_id from tried where provider_message_id is not null order by 1) as messages,
      array(select id from happened order by id) as events
""")  # noqa: S608  our own words


def find(session: Session, user_id: UUID) -> Person:
    """Find out who has an id, and where the person was ever written to."""
    row = session.execute(_PERSON, {"user_id": user_id}).mappings().one()
    recipients = [tuple(each) for each in session.execute(_RECIPIENTS, {"user_id": user_id})]
    return Person(user_id=user_id, recipients=recipients, **row)


def belongings(session: Session, user_id: UUID, addresses: Addresses) -> Belongings:
    """Find all that is a person's. Reads all events and all announcements once.

    Args:
        session: The transaction.
        user_id: The person.
        addresses: What the person is reached by.
    """
    values = asdict(addresses) | {"user_id": user_id, "marks": MARKS}
    row = session.execute(_BELONGINGS, values).mappings().one()
    return Belongings(**row)
