"""Taking messages out of Twilio's own records."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from twilio.base.exceptions import TwilioException

from providers.codes import Kind, Verdict
from providers.errors import Ambiguous, Transient
from providers.twilio import failure, judged
from providers.twilio_http import UNREADABLE, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.errors import ProviderError
    from providers.transport import PooledTransport
    from providers.twilio_http import TwilioAccount

_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
_NO_SUCH_RESOURCE = "20404"
_UNREADABLE = (*UNREADABLE, TwilioException)


class TwilioRedaction:
    """Deletes messages, to a person or from one. Holds nothing that a call changes, so threads share it.

    An update with an empty ``Body`` would leave the person's number. The deletion takes the record with
    everything in it, its media too (Twilio, "Deleting messages, message media or message bodies"). A message
    that is still under way can't be deleted yet: that is ``Transient``, like everything else that another
    try may mend.

    Args:
        account: Whose messages, and where.
        transport: The lines.
        now: The present in epoch seconds, for rate limit headers that name a moment.
    """

    def __init__(
        self,
        account: TwilioAccount,
        transport: PooledTransport,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._messages = account.messages(transport)
        self._now = now

    def redact(self, message_id: str) -> None:
        """Delete one message. See ``MessageRedaction.redact``."""
        if not _MESSAGE_SID.fullmatch(message_id):
            return  # no id of Twilio's, and nothing to put into a path
        try:
            self._messages(message_id).delete()
        except Refusal as refusal:
            if refusal.code != _NO_SUCH_RESOURCE:
                raise self._failure(refusal) from refusal
        except Ambiguous as lost:
            raise Transient(lost.code, lost.detail) from lost
        except _UNREADABLE as error:
            raise Transient("unreadable_answer", f"{type(error).__name__} in reading a 2xx") from error

    def _failure(self, refusal: Refusal) -> ProviderError:
        verdict = judged(refusal, "")
        if verdict.kind not in {Kind.MISCONFIGURED, Kind.RATE_LIMITED}:
            verdict = Verdict(Kind.TRANSIENT, verdict.known)
        return failure(verdict, refusal, self._now(), "")
