"""The accounts of a run: what was to be told, what the database says, what the sandbox accepted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from workers.dev.sandbox.wire import MessageSummary

_OPEN = text("""
    select
      (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch) +
      (select count(*) from public.notification_deliveries where status = 'PENDING')
""")

_OVERVIEW = text("""
    select coalesce(e.event_type::text, '(none: own words)') as event, count(distinct e.id) as events,
      count(distinct n.id) as notifications, d.channel::text, d.status::text, count(*) as deliveries,
      count(distinct d.provider_message_id) as ids, min(d.provider_message_id) as some_id
    from public.notification_deliveries d
    join public.notifications n on n.id = d.notification_id
    left join public.events e on e.id = n.event_id
    group by e.event_type, d.channel, d.status
    order by e.event_type, d.channel, d.status
""")

_EMAILS = text("""
    select d.id, d.status::text, d.provider_message_id, d.provider_response ->> 'code' as code,
      array(select a.token::text from fleet.attempts a where a.delivery_id = d.id) as tokens
    from public.notification_deliveries d
    where d.channel = 'EMAIL'
""")

_ATTEMPTS = text("""
    select
      count(*) filter (where evidence = 'CALLBACK') as by_callback,
      count(*) filter (where outcome = 'NO_EVIDENCE') as sent_again
    from fleet.attempts
""")


@dataclass
class Accounts:
    """What a run came to.

    Attributes:
        faults: Everything that is missing, doubled or unexplained, in words; empty is flawless.
        emails: E-mail deliveries.
        duplicates: Those among them that were not sent because another had said the same.
        accepted: E-mails that the sandbox accepted.
        by_callback: Sends of unknown outcome that a callback proved.
        sent_again: Sends of unknown outcome that nothing proved, and that were repeated.
    """

    faults: list[str] = field(default_factory=list)
    emails: int = 0
    duplicates: int = 0
    accepted: int = 0
    by_callback: int = 0
    sent_again: int = 0


def unsettled(session: Session) -> int:
    """How many events and deliveries have not had their last word."""
    return int(session.execute(_OPEN).scalar_one())


def check(session: Session, messages: Sequence[MessageSummary], expected: Counter[str]) -> Accounts:
    """Compare what was to be told with the database and the sandbox.

    Args:
        session: The database.
        messages: What the sandbox accepted.
        expected: E-mails due to each address.
    """
    rows = session.execute(_EMAILS).all()
    attempts = session.execute(_ATTEMPTS).one()
    accounts = Accounts(
        emails=len(rows),
        accepted=len(messages),
        by_callback=attempts.by_callback,
        sent_again=attempts.sent_again,
    )
    by_token = {message.custom_args.get("attempt", ""): message for message in messages}
    for row in rows:
        accepted = [by_token[token] for token in row.tokens if token in by_token]
        if (row.code or "").startswith("duplicate_") and not accepted:
            accounts.duplicates += 1
        elif len(accepted) != 1:
            accounts.faults.append(f"delivery {row.id} was accepted {len(accepted)} times")
        elif row.status != "SENT":
            accounts.faults.append(f"delivery {row.id} was accepted and is {row.status}")
        elif row.provider_message_id != accepted[0].id:
            accounts.faults.append(f"delivery {row.id} bears an id that is not the accepted message's")
    received = Counter(message.recipient for message in messages)
    for address in sorted(expected | received):
        if expected[address] != received[address]:
            accounts.faults.append(
                f"{address} was to get {expected[address]} e-mails and got {received[address]}"
            )
    return accounts


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
