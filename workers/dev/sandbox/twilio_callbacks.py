"""What Twilio posts: a message's states, and what a phone answers; signed as Twilio signs.

Source: Twilio's "Track the Message Status of Outbound Messages", "Twilio's Request to your Incoming Message
Webhook URL", "Webhooks Security" and "Connection Overrides".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urldefrag, urlencode

from workers.dev.sandbox.courier import Post, Trouble
from workers.dev.sandbox.twilio_errors import text_of
from workers.dev.sandbox.twilio_views import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.phones import PhoneMessage

_CHANNEL_INSTALLATION: Final = f"XE{'0' * 32}"
_MOST_RETRIES = 5


@dataclass(frozen=True, slots=True)
class Overrides:
    """How often a callback is tried again, and after which troubles, as its address asks.

    Attributes:
        retries: The further tries; Twilio's own default is one.
        after: The troubles; Twilio's own default is a connection that does not come about.
    """

    retries: int = 1
    after: frozenset[str] = frozenset({Trouble.CONNECT})

    @classmethod
    def of(cls, url: str) -> Overrides:
        """What stands after the ``#``, such as ``#rc=2&rp=ct,rt,5xx``."""
        asked = parse_qs(urldefrag(url).fragment)
        count, policy = asked.get("rc", ["1"])[0], asked.get("rp", [Trouble.CONNECT])[0]
        retries = min(int(count), _MOST_RETRIES) if count.isdecimal() else 1
        return cls(retries, frozenset(Trouble) if policy == "all" else frozenset(policy.split(",")))


def signed(url: str, fields: Mapping[str, str], auth_token: str) -> Post:
    """A callback, ready to go. Signed is the address with its query, without what stands after the ``#``."""
    address = urldefrag(url).url
    text = address + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
    }
    return Post(address, headers, urlencode(fields).encode())


def status_fields(message: PhoneMessage, account: str) -> dict[str, str]:
    """What a status callback says of a message as it is now."""
    fields = {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": account,
        "From": message.sender,
        "ApiVersion": API,
    }
    if message.error_code is not None:
        fields |= {"ErrorCode": str(message.error_code), "ErrorMessage": text_of(message.error_code)}
    if message.channel == "whatsapp":
        fields |= {
            "ChannelPrefix": "whatsapp",
            "ChannelToAddress": message.number,
            "ChannelInstallSid": _CHANNEL_INSTALLATION,
            "StructuredMessage": "false",
        }
        if message.status in {"delivered", "undelivered", "read"}:
            fields["EventType"] = message.status.upper()
        if message.error_code is not None:
            fields["ChannelStatusMessage"] = text_of(message.error_code)
    elif message.status in {"delivered", "undelivered"}:
        fields["RawDlrDoneDate"] = message.updated_at.strftime("%y%m%d%H%M")
    return fields


def inbound_fields(message: PhoneMessage, account: str) -> dict[str, str]:
    """What the inbound webhook says of a phone's answer."""
    fields = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": account,
        "From": message.sender,
        "To": message.to,
        "Body": message.body,
        "NumMedia": "0",
        "NumSegments": str(message.segments),
        "SmsStatus": "received",
        "ApiVersion": API,
    }
    if message.channel == "whatsapp":
        return fields | {
            "WaId": message.number.removeprefix("+"),
            "ProfileName": "Sandbox",
            "MessageType": "text",
            "ReferralNumMedia": "0",
        }
    places = ("City", "State", "Zip", "Country")
    return fields | {f"{end}{place}": "" for end in ("From", "To") for place in places}
