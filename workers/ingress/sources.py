"""Who posts here: how a post is shown to be theirs, and the callbacks that are in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import parse_qsl

from starlette.responses import Response

from providers.signatures import BadSignature
from workers.ingress import bodies
from workers.ingress.refusals import Malformed, NotTheirs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.datastructures import Headers

    from providers.signatures_sendgrid import SendGridSignatures
    from providers.signatures_twilio import TwilioSignatures

TOLERANCE_SECONDS = 24 * 3600.0
"""SendGrid signs once and retries a refused batch for a day under the first signature's time."""

_LONGEST_EVENT_ID = 200
_FORM = "application/x-www-form-urlencoded"
_MESSAGE_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_STATUS = re.compile(r"[A-Za-z_-]{1,40}")
_ERROR_CODE = re.compile(r"[0-9]{0,10}")


@dataclass(frozen=True, slots=True)
class Post:
    """What came in.

    Attributes:
        headers: Of the request.
        query: The query string as it came over the line, without the question mark.
        body: Byte for byte.
        at: When, aware, UTC.
    """

    headers: Headers
    query: str
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Callback:
    """One thing that a provider tells, under its own id, which is the same when it tells it again."""

    callback_id: str
    body: Mapping[str, Any]


class Source(Protocol):
    """An address and who posts to it."""

    @property
    def provider(self) -> str:
        """As in ``fleet.inbox`` and in the metrics."""

    @property
    def path(self) -> str:
        """Below the public URL."""

    @property
    def body_limit(self) -> int:
        """Bytes."""

    @property
    def media_type(self) -> str | None:
        """The only one taken, where the signature does not cover the body as it is."""

    def callbacks(self, post: Post) -> list[Callback]:
        """Check a post, then split it.

        Raises:
            Refused: It is not the provider's, or not what the provider sends here.
        """

    def thanks(self) -> Response:
        """The answer once they are stored."""


@dataclass(frozen=True)
class SendGridEvents:
    """SendGrid's event webhook: arrays of events, signed as they are."""

    provider: ClassVar[str] = "sendgrid"
    path: ClassVar[str] = "/webhooks/sendgrid"
    body_limit: ClassVar[int] = 2 * 1024 * 1024  # its batches stay far below
    media_type: ClassVar[str | None] = None

    signatures: SendGridSignatures

    def callbacks(self, post: Post) -> list[Callback]:
        """The events of a batch, each once."""
        try:
            self.signatures.verify(
                post.body,
                post.headers.get("X-Twilio-Email-Event-Webhook-Signature", ""),
                post.headers.get("X-Twilio-Email-Event-Webhook-Timestamp", ""),
                post.at,
            )
        except BadSignature as error:
            raise NotTheirs(error.reason) from None
        try:
            parsed = json.loads(post.body)
        except (ValueError, RecursionError):
            raise Malformed("not JSON") from None
        if not isinstance(parsed, list):
            raise Malformed("not an array")
        events: dict[str, Callback] = {}
        for event in parsed:
            event_id = event.get("sg_event_id") if isinstance(event, dict) else None
            if not isinstance(event_id, str) or not 0 < len(event_id) <= _LONGEST_EVENT_ID:
                raise Malformed("an event without sg_event_id")
            events[event_id] = Callback(event_id, event)
        return list(events.values())

    def thanks(self) -> Response:
        """Any 2xx will do."""
        return Response(status_code=204)


@dataclass(frozen=True)
class _TwilioForms:
    """Twilio's webhooks of messages: forms, signed together with the URL that Twilio was given.

    Source: Twilio, "Webhooks security". Behind a proxy, host, scheme and path may be others than those that
    Twilio has called, so the URL is put together from what it was given.

    Attributes:
        signatures: Checks them.
        public_url: What stands before the path in the addresses that Twilio is given; no slash at the end.
    """

    provider: ClassVar[str] = "twilio"
    path: ClassVar[str]
    body_limit: ClassVar[int] = 128 * 1024  # a WhatsApp message of 4,096 characters may take 50 KiB
    media_type: ClassVar[str | None] = _FORM

    signatures: TwilioSignatures
    public_url: str

    def _form(self, post: Post) -> dict[str, str]:
        pairs = bodies.form(post.body)
        query = f"?{post.query}" if post.query else ""
        try:
            self.signatures.verify(
                f"{self.public_url}{self.path}{query}", pairs, post.headers.get("X-Twilio-Signature", "")
            )
        except BadSignature as error:
            raise NotTheirs(error.reason) from None
        form = dict(pairs)
        if len(form) != len(pairs):
            raise Malformed("a parameter stands there twice")
        if not _MESSAGE_SID.fullmatch(form.get("MessageSid", "")):
            raise Malformed("no MessageSid")
        # The attempt's token is ours and stands in the URL; a parameter of that name is somebody else's.
        form.pop("attempt", None)
        return form


@dataclass(frozen=True)
class TwilioStatus(_TwilioForms):
    """What became of a message that was sent. Has no id of its own: it is the same if it says the same."""

    path: ClassVar[str] = "/webhooks/twilio/status"

    def callbacks(self, post: Post) -> list[Callback]:
        """The one callback of a form, with the attempt's token from the URL."""
        form = self._form(post)
        status, code = form.get("MessageStatus", ""), form.get("ErrorCode", "")
        if not _STATUS.fullmatch(status) or not _ERROR_CODE.fullmatch(code):
            raise Malformed("no MessageStatus, or an ErrorCode that is no number")
        tokens = [("attempt", value) for name, value in parse_qsl(post.query) if name == "attempt"]
        return [Callback(f"{form['MessageSid']}:{status}:{code or '-'}", form | dict(tokens))]

    def thanks(self) -> Response:
        """Nothing is expected."""
        return Response(status_code=204)


@dataclass(frozen=True)
class TwilioInbound(_TwilioForms):
    """A message from a person."""

    path: ClassVar[str] = "/webhooks/twilio/inbound"

    def callbacks(self, post: Post) -> list[Callback]:
        """The one message of a form."""
        form = self._form(post)
        return [Callback(f"{form['MessageSid']}:inbound", form)]

    def thanks(self) -> Response:
        """No reply, said in TwiML: to an answer of another kind Twilio reports errors 11200 or 12300."""
        return Response("<Response/>", media_type="text/xml")
