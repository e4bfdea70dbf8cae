"""What Twilio takes for a message and what it refuses.

Source: Twilio's OpenAPI description (2026-04) and its error dictionary. A parameter that the description does
not know is refused, so that a typing error does not pass for an option.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from workers.dev.sandbox import twilio_errors as codes
from workers.dev.sandbox.phones import WHATSAPP
from workers.dev.sandbox.twilio_errors import error, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.phones import Channel

MAX_BODY: Final = 64 * 1024
_MAX_TEXT = 1600
_MAX_VALIDITY = 36_000

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
_CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
_URL = re.compile(r"https?://[^\s/]+\S*")
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_UNFIT_VARIABLE = re.compile(r"[\n\t]| {5,}")

_LISTS = frozenset({"MediaUrl", "PersistentAction"})
_FLAGS = frozenset({"ForceDelivery", "ProvideFeedback", "SendAsMms", "ShortenUrls", "SmartEncoded"})
_CHOICES: Final[dict[str, frozenset[str]]] = {
    "AddressRetention": frozenset({"retain", "obfuscate"}),
    "ContentRetention": frozenset({"retain", "discard"}),
    "RiskCheck": frozenset({"enable", "disable"}),
    "ScheduleType": frozenset({"fixed"}),
    "TrafficType": frozenset({"free"}),
}
_NUMBERS = frozenset({"Attempt", "MaxPrice", "ValidityPeriod"})
_PARAMETERS = frozenset(
    {
        *("To", "From", "Body", "StatusCallback", "ContentSid", "ContentVariables", "MessagingServiceSid"),
        *("ApplicationSid", "FallbackFrom", "SendAt"),
        *_LISTS,
        *_FLAGS,
        *_CHOICES,
        *_NUMBERS,
    }
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a message that Twilio takes."""

    channel: Channel
    number: str
    ours: str
    body: str
    callback: str
    content_sid: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    validity: int | None = None
    media: int = 0


def read_form(body: bytes, known: frozenset[str] = _PARAMETERS) -> list[tuple[str, str]]:
    """The parameters of a form.

    Raises:
        Refusal: It is none, or has a parameter that is not known, or one twice that is no list.
    """
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError:
        raise error(codes.INVALID_PARAMETER, "The body is not a form") from None
    counted = Counter(name for name, _ in pairs)
    if unknown := [name for name in counted if name not in known]:
        raise error(codes.UNKNOWN_PARAMETERS, f"Unknown parameters: {', '.join(unknown)}")
    if twice := [name for name, count in counted.items() if count > 1 and name not in _LISTS]:
        raise error(codes.INVALID_PARAMETER, f"Given more than once: {', '.join(twice)}")
    return pairs


def examine(body: bytes, templates: Mapping[str, str] | None) -> Submission:
    """Read a request for a message as Twilio does.

    Args:
        body: As sent.
        templates: The words of the templates that exist, by ContentSid; None if every one exists.

    Raises:
        Refusal: With the first error found.
    """
    pairs = read_form(body)
    given = dict(pairs)
    _check_types(given)
    channel, number, ours = _addresses(given)
    media = sum(1 for name, _ in pairs if name == "MediaUrl")
    content_sid, variables = _content(given, templates)
    text = given.get("Body", "")
    if content_sid is None and not text and not media:
        raise error(codes.NO_BODY)
    if len(text) > _MAX_TEXT:
        raise error(codes.TOO_LONG)
    if content_sid is not None:
        text = _filled_in(None if templates is None else templates[content_sid], variables)
    callback = given.get("StatusCallback", "")
    if callback and not _URL.fullmatch(callback):
        raise error(codes.INVALID_CALLBACK, f"The 'StatusCallback' URL {callback} is not a valid URL.")
    validity = int(given["ValidityPeriod"]) if "ValidityPeriod" in given else None
    return Submission(channel, number, ours, text, callback, content_sid, variables, validity, media)


def _check_types(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if name in _FLAGS and value.lower() not in {"true", "false"}:
            raise invalid(name, value)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise invalid(name, value)
        if name in _NUMBERS and not re.fullmatch(r"[0-9]+", value):
            raise invalid(name, value)
    if "ValidityPeriod" in given and not 1 <= int(given["ValidityPeriod"]) <= _MAX_VALIDITY:
        raise error(codes.INVALID_VALIDITY)
    if "MessagingServiceSid" in given:
        raise error(codes.NO_SERVICE)


def _addresses(given: Mapping[str, str]) -> tuple[Channel, str, str]:
    to, sender = given.get("To", ""), given.get("From", "")
    if not to:
        raise error(codes.NO_TO)
    if not sender:
        raise error(codes.NO_FROM)
    number, ours = to.removeprefix(WHATSAPP), sender.removeprefix(WHATSAPP)
    channel: Channel = "sms" if number == to else "whatsapp"
    if not _E164.fullmatch(number):
        raise error(codes.INVALID_TO, f"Invalid 'To' Phone Number: {to}")
    if (channel == "whatsapp") != (ours != sender):
        raise error(codes.NO_CHANNEL)
    if not _E164.fullmatch(ours) and not (channel == "sms" and _SENDER_NAME.fullmatch(ours)):
        raise error(codes.INVALID_FROM, f"The 'From' number {sender} is not a valid phone number")
    if number == ours:
        raise error(codes.TO_IS_FROM)
    return channel, number, ours


def _content(
    given: Mapping[str, str], templates: Mapping[str, str] | None
) -> tuple[str | None, Mapping[str, str]]:
    sid = given.get("ContentSid")
    if sid is None:
        if "ContentVariables" in given:
            raise error(codes.CONTENT_SID_MISSING)
        return None, {}
    if not _CONTENT_SID.fullmatch(sid) or (templates is not None and sid not in templates):
        raise error(codes.UNKNOWN_CONTENT)
    try:
        variables = json.loads(given.get("ContentVariables", "{}"))
    except ValueError:
        raise error(codes.INVALID_VARIABLES) from None
    if not isinstance(variables, dict) or not all(map(_fits, variables.values())):
        raise error(codes.INVALID_VARIABLES)
    return sid, variables


def _fits(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not _UNFIT_VARIABLE.search(value)


def _filled_in(words: str | None, variables: Mapping[str, str]) -> str:
    if words is None:
        return " · ".join(variables.values())
    return _PLACE.sub(lambda place: variables.get(place[1], place[0]), words)
