"""Deliveries and attempts put straight into the tables, and what providers say of them into the inbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import text

from db import json_rows
from services.notifications.evidence import Evidence
from tests.notifications.pipeline import never

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session, sessionmaker

    from services.notifications.effects import Classify
    from tests.notifications.pipeline import Clock

NUMBER = "+33639980001"
PROVIDERS = {"EMAIL": "sendgrid", "SMS": "twilio", "WHATSAPP": "twilio"}

_NOTIFY = text("""
    insert into public.notifications (id, user_id, title, message)
    select notification_id, :user_id, 'Bonjour', 'Votre conseiller vous attend.'
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(notification_id uuid)
""")
_DELIVER = text("""
    insert into public.notification_deliveries
      (id, notification_id, channel, recipient, status, sent_at, provider, provider_message_id,
       provider_response)
    select delivery_id, notification_id, cast(channel as public.notification_channel), recipient,
      cast(status as public.notification_status), case when status = 'SENT' then opened_at end,
      case when status = 'SENT' then provider end, message_id, '{"status": 202}'
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(delivery_id uuid, notification_id uuid, channel text,
      recipient text, status text, opened_at timestamptz, provider text, message_id text)
""")
_ATTEMPT = text("""
    insert into fleet.attempts (token, delivery_id, number, channel, provider, opened_at, closed_at, outcome,
      evidence, provider_message_id)
    select token, delivery_id, number, channel, provider, opened_at,
      case when outcome is not null then opened_at end, outcome,
      case when outcome = 'NO_EVIDENCE' then 'NONE' when outcome is not null then 'ANSWER' end, message_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(token uuid, delivery_id uuid, number integer,
      channel text, provider text, opened_at timestamptz, outcome text, message_id text)
""")
_HEAR = text("""
    insert into fleet.inbox (provider, callback_id, received_at, due_at, body)
    select provider, callback_id, received_at, received_at, body
    from jsonb_to_recordset(cast(:rows as jsonb))
      as r(provider text, callback_id text, received_at timestamptz, body jsonb)
    on conflict do nothing
""")


@dataclass(frozen=True)
class Made:
    """A delivery and the tokens of its attempts, oldest first."""

    delivery_id: UUID
    notification_id: UUID
    channel: str
    tokens: tuple[UUID, ...]
    opened_at: datetime


@dataclass
class Told:
    """The tables of one database, and the part that works off the inbox.

    Attributes:
        sessions: As the fleet's role.
        application: As the owner.
        clock: The time of all parts.
        user_id: Whose notifications these are.
    """

    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    clock: Clock
    user_id: UUID
    classify: Mapping[str, Classify] = field(default_factory=dict)

    def make(
        self, channel: str, *outcomes: str | None, status: str | None = None, recipient: str = NUMBER
    ) -> Made:
        """A delivery with an attempt for each outcome, an hour apart; None is an open one."""
        (made,) = self.make_many([(channel, outcomes)], status, recipient)
        return made

    def make_many(
        self,
        wanted: Sequence[tuple[str, Sequence[str | None]]],
        status: str | None = None,
        recipient: str = NUMBER,
    ) -> list[Made]:
        """The same for many at once."""
        deliveries: list[dict[str, object]] = []
        attempts: list[dict[str, object]] = []
        made: list[Made] = []
        for channel, outcomes in wanted:
            each = Made(uuid4(), uuid4(), channel, tuple(uuid4() for _ in outcomes), self.clock.now)
            accepted = outcomes[-1] == "ACCEPTED"
            common = {
                "delivery_id": each.delivery_id,
                "notification_id": each.notification_id,
                "channel": channel,
                "provider": PROVIDERS[channel],
                "recipient": recipient,
            }
            deliveries.append(
                common
                | {
                    "status": status or ("SENT" if accepted else "PENDING"),
                    "opened_at": self.clock.now,
                    "message_id": message_id(each.tokens[-1]) if accepted else None,
                }
            )
            attempts += [
                common
                | {
                    "token": token,
                    "number": number,
                    "opened_at": self.clock.now - timedelta(hours=len(outcomes) - number),
                    "outcome": outcome,
                    "message_id": message_id(token) if outcome == "ACCEPTED" else None,
                }
                for number, (token, outcome) in enumerate(zip(each.tokens, outcomes, strict=True), 1)
            ]
            made.append(each)
        with self.application.begin() as session:
            rows = json_rows.dumps(deliveries)
            session.execute(_NOTIFY, {"rows": rows, "user_id": self.user_id})
            session.execute(_DELIVER, {"rows": rows})
            session.execute(_ATTEMPT, {"rows": json_rows.dumps(attempts)})
        return made

    def hear(self, *callbacks: Mapping[str, object]) -> None:
        """Put callbacks into the inbox, as the ingress does."""
        with self.application.begin() as session:
            session.execute(_HEAR, {"rows": json_rows.dumps(callbacks)})

    def work_off(self) -> int:
        return Evidence(self.sessions, self.clock, self.classify).run(never)

    def tell(self, *callbacks: Mapping[str, object]) -> None:
        """Put callbacks into the inbox and work them off."""
        self.hear(*callbacks)
        self.work_off()

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def row(self, statement: str, **values: object) -> Any:
        (found,) = self.rows(statement, **values)
        return found

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def delivery(self, made: Made) -> Any:
        return self.row("select * from notification_deliveries where id = :id", id=made.delivery_id)

    def receipt(self, token: UUID) -> Any:
        return self.row("select * from fleet.receipts where token = :token", token=token)

    def attempt(self, token: UUID) -> Any:
        return self.row("select * from fleet.attempts where token = :token", token=token)

    def queued(self, made: Made) -> bool:
        return bool(self.rows("select from fleet.dispatch where delivery_id = :id", id=made.delivery_id))

    def handled_as(self) -> list[str | None]:
        return [
            row.handled_as for row in self.rows("select handled_as from fleet.inbox order by callback_id")
        ]

    def standing(self, made: Sequence[Made]) -> list[object]:
        """All that receipts may change, of these deliveries in this order, without ids that are made up."""
        deliveries = {
            row.id: (row.status, row.sent_at, row.failed_at, row.provider, row.provider_response, row.queued)
            for row in self.rows(
                "select d.*, q.delivery_id is not null as queued from notification_deliveries d"
                " left join fleet.dispatch q on q.delivery_id = d.id where d.id = any(:ids)",
                ids=[each.delivery_id for each in made],
            )
        }
        attempts = {
            row.token: tuple(row)[1:]
            for row in self.rows(
                "select a.token, a.outcome, a.evidence, a.closed_at, r.state, r.deferred_at, r.sent_at,"
                " r.delivered_at, r.opened_at, r.clicked_at, r.failed_at, r.bounced_at, r.code, r.reason"
                " from fleet.attempts a left join fleet.receipts r using (token)"
                " where a.token = any(:tokens)",
                tokens=[token for each in made for token in each.tokens],
            )
        }
        return [(deliveries[each.delivery_id], [attempts[token] for token in each.tokens]) for each in made]


def message_id(token: UUID) -> str:
    """The provider's id of an attempt's message; the beginning of SendGrid's ends at a dot."""
    return f"SM{token.hex}"


def says(made: Made, event: str, at: datetime, number: int = -1, **more: object) -> dict[str, object]:
    """A callback of the delivery's provider about one of its attempts."""
    token = made.tokens[number]
    if PROVIDERS[made.channel] == "sendgrid":
        body = {
            "event": event,
            "attempt": str(token),
            "timestamp": int(at.timestamp()),
            "sg_message_id": f"{message_id(token)}.recvd-7f9c",
            **more,
        }
    else:
        body = {"MessageStatus": event, "MessageSid": message_id(token), "attempt": str(token), **more}
    return {
        "provider": PROVIDERS[made.channel],
        "callback_id": f"{token}:{event}:{json.dumps(more, sort_keys=True)}",
        "received_at": at,
        "body": body,
    }


def again(callback: Mapping[str, object], number: int) -> dict[str, object]:
    """The same under another id, for the inbox stores what it knows once."""
    return {**callback, "callback_id": f"{callback['callback_id']}:{number}"}
