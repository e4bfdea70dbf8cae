"""The accounts of a run: what was to be told, what the database says, what the sandbox accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from workers.dev.sandbox.wire import MessageSummary, PhoneMessageView

CHANNELS: Final = ("EMAIL", "WHATSAPP", "SMS")

_OPEN = text("""
    select
      (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch) +
      (select count(*) from fleet.notices where told_at is null) +
      (select count(*) from public.notifications n
       where not exists (select from public.notification_deliveries d where d.notification_id = n.id)) +
      (select count(*) from fleet.reminders where state = 'CLAIMED') +
      (select count(*) from public.notification_deliveries where status = 'PENDING')
""")

_UNTOLD = text("""
    select
      (select count(*) from fleet.inbox where handled_at is null) +
      (select count(*) from fleet.attempts a
       left join fleet.receipts r on r.token = a.token
       where a.outcome = 'ACCEPTED' and a.channel <> 'IN_APP'
         and (r.state is null or r.state in ('DEFERRED', 'SENT')))
""")

_OVERVIEW = text("""
    select coalesce(e.event_type::text, n.template_code, '(none: own words)') as event,
      count(distinct e.id) as events, count(distinct n.id) as notifications, d.channel::text,
      d.status::text, count(*) as deliveries,
      count(distinct d.provider_message_id) as ids, min(d.provider_message_id) as some_id
    from public.notification_deliveries d
    join public.notifications n on n.id = d.notification_id
    left join public.events e on e.id = n.event_id
    group by 1, e.event_type, d.channel, d.status
    order by e.event_type, 1, d.channel, d.status
""")

_DELIVERIES = text("""
    select d.id, d.notification_id, d.channel::text, d.recipient, d.status::text, d.provider_message_id,
      d.provider_response ->> 'code' as code,
      array(select a.token::text from fleet.attempts a where a.delivery_id = d.id) as tokens,
      exists (select from fleet.fallbacks f where f.from_delivery_id = d.id) as gave_way,
      exists (select from fleet.fallbacks f where f.to_delivery_id = d.id) as took_over
    from public.notification_deliveries d
    where d.channel::text = any(:channels)
    order by d.created_at, d.id
""")

_ATTEMPTS = text("""
    select
      count(*) filter (where evidence in ('CALLBACK', 'LOOKUP')) as proved,
      count(*) filter (where outcome = 'NO_EVIDENCE') as sent_again
    from fleet.attempts
""")

_REASONS = text("select reason, count(*) as given from fleet.fallbacks group by reason order by reason")


@dataclass(frozen=True, slots=True)
class _Delivery:
    id: UUID
    notification_id: UUID
    channel: str
    recipient: str
    status: str
    provider_message_id: str | None
    code: str | None
    tokens: Sequence[str]
    gave_way: bool
    took_over: bool

    @property
    def name(self) -> str:
        return f"{self.channel} delivery {self.id}"


@dataclass
class Accounts:
    """What a run came to.

    Attributes:
        faults: Everything that is missing, doubled or unexplained, in words; empty is flawless.
        deliveries: By channel.
        accepted: Messages that the sandbox accepted, by channel.
        duplicates: Deliveries that were not sent because another had said the same.
        bounced: E-mails that came back.
        fallbacks: WhatsApp that gave way to SMS, by the reason.
        proved: Sends of unknown outcome that a callback or a look-up proved.
        sent_again: Sends of unknown outcome that nothing proved, and that were repeated.
    """

    faults: list[str] = field(default_factory=list)
    deliveries: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    bounced: int = 0
    fallbacks: Mapping[str, int] = field(default_factory=dict)
    proved: int = 0
    sent_again: int = 0


def unsettled(session: Session) -> int:
    """How many events, notices, reminders and deliveries have not had their last word."""
    return int(session.execute(_OPEN).scalar_one())


def untold(session: Session) -> int:
    """How many accepted messages the provider has still to say the last word on, or has said it unheard."""
    return int(session.execute(_UNTOLD).scalar_one())


def check(
    session: Session,
    emails: Sequence[MessageSummary],
    phone_messages: Sequence[PhoneMessageView],
    expected: Counter[str],
) -> Accounts:
    """Compare what was to be told with the database and the sandbox.

    Args:
        session: The database.
        emails: What the sandbox accepted.
        phone_messages: The same, by SMS and WhatsApp.
        expected: Notices due to each e-mail address and each number: a number gets each on one channel.
    """
    deliveries = [
        _Delivery(**row) for row in session.execute(_DELIVERIES, {"channels": list(CHANNELS)}).mappings()
    ]
    attempts = session.execute(_ATTEMPTS).one()
    accounts = Accounts(
        deliveries=Counter(delivery.channel for delivery in deliveries),
        accepted=Counter({"EMAIL": len(emails)}) + Counter(each.channel.upper() for each in phone_messages),
        fallbacks={row.reason: row.given for row in session.execute(_REASONS)},
        proved=attempts.proved,
        sent_again=attempts.sent_again,
    )
    accepted = [(email.custom_args.get("attempt", ""), email.id) for email in emails]
    accepted += [(message.token or "", message.sid) for message in phone_messages]
    by_token = dict(accepted)
    if len(by_token) != len(accepted):
        accounts.faults.append(
            f"{len(accepted) - len(by_token)} messages were accepted twice for one attempt"
        )
    for delivery in deliveries:
        _check_delivery(accounts, delivery, [by_token[t] for t in delivery.tokens if t in by_token])
    known = {token for delivery in deliveries for token in delivery.tokens}
    if strangers := by_token.keys() - known:
        accounts.faults.append(f"{len(strangers)} accepted messages belong to no delivery")
    arrived = Counter(email.recipient for email in emails)
    arrived += Counter(each.to for each in phone_messages if each.status not in {"failed", "undelivered"})
    for address in sorted(expected | arrived):
        if expected[address] != arrived[address]:
            accounts.faults.append(
                f"{address} was to get {expected[address]} messages and got {arrived[address]}"
            )
    _check_phones(accounts, deliveries)
    return accounts


def _check_delivery(accounts: Accounts, delivery: _Delivery, accepted: Sequence[str]) -> None:
    """One delivery against the ids of the messages that were accepted for it."""
    fault = None
    if (delivery.code or "").startswith("duplicate_") and not accepted:
        accounts.duplicates += 1
    elif delivery.status == "FAILED" and delivery.gave_way and len(accepted) <= 1:
        pass  # another channel has told it, and is looked at by itself
    elif len(accepted) != 1:
        fault = f"was accepted {len(accepted)} times"
    elif delivery.status not in {"SENT", "BOUNCED"}:
        fault = f"was accepted and is {delivery.status}"
    elif delivery.provider_message_id != accepted[0]:
        fault = "bears an id that is not the accepted message's"
    if fault is None and delivery.channel == "SMS" and not delivery.took_over:
        fault = "is there without a reason why WhatsApp did not do"
    accounts.bounced += delivery.status == "BOUNCED"
    if fault is not None:
        accounts.faults.append(f"{delivery.name} {fault}")


def _check_phones(accounts: Accounts, deliveries: Sequence[_Delivery]) -> None:
    """No notice may reach a phone on two channels."""
    reached = Counter(
        delivery.notification_id
        for delivery in deliveries
        if delivery.channel != "EMAIL" and delivery.status == "SENT"
    )
    for notification_id, count in reached.items():
        if count > 1:
            accounts.faults.append(f"notification {notification_id} went to a phone {count} times")


def overview(session: Session) -> Table:
    """Events, notifications and deliveries by channel and state, with the providers' ids."""
    title = "Events, notifications and deliveries"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("event", "channel", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("events", "notices", "sends"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("provider ids", no_wrap=True)
    for row in session.execute(_OVERVIEW):
        more = f" +{row.ids - 1}" if row.ids > 1 else ""
        ids = f"{row.some_id[:8]}…{more}" if row.some_id else "-"
        counts = (str(row.events), str(row.notifications), str(row.deliveries))
        table.add_row(row.event, row.channel, row.status, *counts, ids)
    return table
