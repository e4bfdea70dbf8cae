"""What became of messages, by Twilio's own list of them."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from twilio.base.exceptions import TwilioException

from providers.base import MessageState
from providers.codes import Kind, Verdict
from providers.errors import Ambiguous, Transient
from providers.redaction import redact
from providers.twilio import failure, identifier, judged, segments_of
from providers.twilio_http import UNREADABLE, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from providers.errors import ProviderError
    from providers.transport import PooledTransport
    from providers.twilio import TwilioSender
    from providers.twilio_http import TwilioAccount

# The API takes 1000 at most. One page is a person's messages of years.
PAGE_SIZE = 500
# Messages to one person, after which a search ends: a bound, not a limit that anyone should meet.
MOST = 5000

_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
_NO_SUCH_RESOURCE = "20404"
_UNREADABLE = (*UNREADABLE, TwilioException)


class TwilioLookup:
    """Asks for messages on one channel. Holds nothing that a call changes, so threads share it.

    A question may be asked again, so an answer that was lost or makes no sense is ``Transient`` here, and
    nothing is ever ``Ambiguous``.

    Args:
        account: Whose messages, and where.
        sender: Our number and its channel.
        transport: The lines.
        now: The present in epoch seconds, for rate limit headers that name a moment.
    """

    def __init__(
        self,
        account: TwilioAccount,
        sender: TwilioSender,
        transport: PooledTransport,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._messages = account.messages(transport)
        self._sender = sender
        self._now = now

    def fetch(self, message_id: str) -> MessageState | None:
        """Ask for one message. See ``MessageLookup.fetch``."""
        if not _MESSAGE_SID.fullmatch(message_id):
            return None  # no id of Twilio's, and nothing to put into a path
        with self._question():
            try:
                return _state(self._messages(message_id).fetch())
            except Refusal as refusal:
                if refusal.code != _NO_SUCH_RESOURCE:
                    raise
        return None

    def search(self, recipient: str, sent_on: date) -> Sequence[MessageState]:
        """List the messages to one person from our number. See ``MessageLookup.search``.

        The day is sorted out here: Twilio's own filter is by the moment of sending, which a message that
        still waits in its queue does not have.
        """
        with self._question(recipient):
            listed = self._messages.list(
                to=self._sender.address(recipient),
                from_=self._sender.address(self._sender.number),
                page_size=PAGE_SIZE,
                limit=MOST,
            )
            dated = [(state.created_at, state) for state in map(_state, listed) if state.created_at]
        of_the_day = [(at, state) for at, state in dated if at.date() == sent_on]
        return [state for _, state in sorted(of_the_day, key=lambda pair: pair[0], reverse=True)]

    @contextmanager
    def _question(self, recipient: str = "") -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
            raise self._failure(refusal, recipient) from refusal
        except Ambiguous as lost:
            raise Transient(lost.code, lost.detail) from lost
        except _UNREADABLE as error:
            raise Transient("unreadable_answer", f"{type(error).__name__} in reading a 2xx") from error

    def _failure(self, refusal: Refusal, recipient: str) -> ProviderError:
        verdict = judged(refusal, self._sender.channel)
        if verdict.kind not in {Kind.MISCONFIGURED, Kind.RATE_LIMITED}:
            verdict = Verdict(Kind.TRANSIENT, verdict.known)
        return failure(verdict, refusal, self._now(), recipient)


def _state(found: Any) -> MessageState:
    """Read the SDK's object; every price is negative there, for it is taken from the account."""
    to = str(found.to or "").rpartition(":")[2]
    return MessageState(
        message_id=identifier(found),
        status=found.status.lower(),
        at=found.date_updated,
        created_at=found.date_created,
        code=str(found.error_code) if found.error_code else None,
        reason=redact(found.error_message, to, to.removeprefix("+")) if found.error_message else None,
        segments=segments_of(found),
        price=abs(Decimal(found.price)) if found.price else None,
        price_unit=found.price_unit.upper() if found.price_unit else None,
        body=found.body if isinstance(found.body, str) else None,
    )
