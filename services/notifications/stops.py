"""Who does not want to be written to any more, or wants it again: read from what providers tell us."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

from db.queries import suppressions
from db.queries.suppressions import Wish
from services.notifications import phones
from services.notifications.receipts import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.inbox import Callback

STOP: Final = frozenset(
    {"STOP", "STOPALL", "ARRET", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "DESABONNER"}
)
"""Whole messages that mean no: Twilio's, https://help.twilio.com/articles/223134027, and the French."""

START: Final = frozenset({"START", "UNSTOP", "YES", "OUI", "REPRENDRE"})
"""Whole messages that take it back, of the same source."""

PHONE_CHANNELS: Final = ("SMS", "WHATSAPP")

_EVENTS: Final[Mapping[str, tuple[str, bool]]] = {
    "spamreport": ("COMPLAINT", True),
    "unsubscribe": ("UNSUBSCRIBE", True),
    "group_unsubscribe": ("UNSUBSCRIBE", True),
    "group_resubscribe": ("UNSUBSCRIBE", False),
}
# What SendGrid does not even try, for it has been told before.
# https://www.twilio.com/docs/sendgrid/ui/sending-email/drops
_DROPPED: Final[Mapping[str, str]] = {
    "Bounced Address": "HARD_BOUNCE",
    "Spam Reporting Address": "COMPLAINT",
    "Unsubscribed Address": "UNSUBSCRIBE",
}


def heed(session: Session, callbacks: Sequence[Callback], now: datetime) -> None:
    """Keep who wants what, of all that these callbacks tell.

    Args:
        session: The transaction, of which this is the last thing.
        callbacks: Of any providers, as they were stored, verified.
        now: No time is taken to be later than this.
    """
    suppressions.heed(session, [wish for callback in callbacks for wish in read(callback, now)])


def heed_refusals(session: Session, tokens: Iterable[UUID], region: str) -> None:
    """Keep that the provider never writes to the numbers of these attempts, for their owners said stop.

    It was so when the attempt was made: a word of the person's that came later stands.

    Args:
        session: As for ``heed``.
        tokens: Attempts that a provider has refused with a code of the kind ``suppressed``.
        region: The country of numbers that are written without one, by its two letters.
    """
    tokens = list(tokens)
    written = suppressions.written(session, tokens) if tokens else []
    suppressions.heed(
        session,
        [
            wish
            for each in written
            if each.channel in PHONE_CHANNELS
            for wish in _of_phone(
                phones.readable(each.recipient, region), "twilio", each.opened_at, stop=True
            )
        ],
    )


def read(callback: Callback, now: datetime) -> Iterator[Wish]:
    """What a callback tells of an address as such, if it does.

    Args:
        callback: As it was stored, verified.
        now: No time is taken to be later than this.
    """
    latest = min(callback.received_at, now)
    if callback.provider == "sendgrid":
        yield from _of_email(callback.body, latest)
    elif callback.provider == "twilio" and callback.callback_id.endswith(":inbound"):
        said = meant(callback.body)
        if said is not None:
            yield from _of_phone(_text(callback.body, "From"), "twilio", latest, stop=said)


def meant(message: Mapping[str, Any]) -> bool | None:
    """Whether a person's message means stop (True), takes it back (False), or is about something else (None).

    Only a message that is nothing else counts; ``OptOutType`` is there where the sender's messaging service
    has looked itself: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out.
    """
    plain = unicodedata.normalize("NFKD", _text(message, "Body"))
    word = "".join(mark for mark in plain if not unicodedata.combining(mark)).strip(" \t\r\n.!").upper()
    word = _text(message, "OptOutType") or word
    if word in STOP:
        return True
    return False if word in START else None


def _of_email(event: Mapping[str, Any], latest: datetime) -> Iterator[Wish]:
    address, name = _text(event, "email").strip().lower(), _text(event, "event")
    reason, stop = _EVENTS.get(name, (None, True))
    if name == "bounce" and _text(event, "type") == "bounce":  # the other type is ``blocked``, which may pass
        reason = "HARD_BOUNCE"
    elif name == "dropped":
        reason = _DROPPED.get(_text(event, "reason"))
    if address and reason:
        yield Wish("EMAIL", address, reason, "sendgrid", time_of(event, latest), stop)


def _of_phone(number: str, source: str, at: datetime, *, stop: bool) -> Iterator[Wish]:
    """A person's word counts for the number, whichever way it came."""
    number = number.removeprefix("whatsapp:").strip()
    if number:
        for channel in PHONE_CHANNELS:
            yield Wish(channel, number, "STOP", source, at, stop)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
