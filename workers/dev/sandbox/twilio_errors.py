"""Twilio's error answers, in its own words.

Source: Twilio's error dictionary (https://www.twilio.com/docs/api/errors). Codes that have
no text here are answered with one of the same style.
"""

from __future__ import annotations

import json
from typing import Final

from workers.dev.sandbox.exchange import Refusal

UNKNOWN_PARAMETERS: Final = 20001
AUTHENTICATE: Final = 20003
METHOD_NOT_ALLOWED: Final = 20004
NOT_COMPLETE: Final = 20009
NOT_FOUND: Final = 20404
INVALID_PARAMETER: Final = 20422
TOO_MANY: Final = 20429
INTERNAL: Final = 20500
INVALID_TO: Final = 21211
INVALID_FROM: Final = 21212
TO_IS_FROM: Final = 21266
NO_FROM: Final = 21603
NO_TO: Final = 21604
INVALID_CALLBACK: Final = 21609
STOPPED: Final = 21610
TOO_LONG: Final = 21617
NO_BODY: Final = 21619
INVALID_VALIDITY: Final = 21624
CONTENT_SID_MISSING: Final = 21654
UNKNOWN_CONTENT: Final = 21655
INVALID_VARIABLES: Final = 21656
NO_SERVICE: Final = 21701
NOT_CANCELABLE: Final = 30409
NO_CHANNEL: Final = 63007
OUTSIDE_WINDOW: Final = 63016

TEXTS: Final[dict[int, str]] = {
    AUTHENTICATE: "Authenticate",
    METHOD_NOT_ALLOWED: "Method not allowed",
    TOO_MANY: "Too many requests",
    INTERNAL: "An internal server error has occurred",
    21211: "Invalid 'To' Phone Number",
    TO_IS_FROM: "'To' and 'From' number cannot be the same",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    NO_FROM: "A 'From' phone number is required",
    NO_TO: "A 'To' phone number is required.",
    STOPPED: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number",
    TOO_LONG: "The concatenated message body exceeds the 1600 character limit",
    NO_BODY: "Message body, media URLs or content SID must be specified",
    INVALID_VALIDITY: "Invalid validity period value",
    CONTENT_SID_MISSING: "ContentSid Required",
    UNKNOWN_CONTENT: "The ContentSid is Invalid",
    INVALID_VARIABLES: "The ContentVariables Parameter is invalid",
    NO_SERVICE: "The Messaging Service does not exist",
    30003: "Unreachable destination handset",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30036: "Validity Period Expired",
    NOT_CANCELABLE: "The message is not in a state in which it can be canceled",
    63003: "Channel could not find To address",
    NO_CHANNEL: "Twilio could not find a Channel with the specified From address",
    OUTSIDE_WINDOW: "Failed to send freeform message because you are outside the allowed window",
    63024: "Invalid message recipient",
    63049: "Meta chose not to deliver this WhatsApp marketing message",
}
_STATUSES: Final = {
    AUTHENTICATE: 401,
    METHOD_NOT_ALLOWED: 405,
    NOT_COMPLETE: 409,
    NOT_FOUND: 404,
    TOO_MANY: 429,
    INTERNAL: 500,
}


def text_of(code: int) -> str:
    """What Twilio says of a code."""
    return TEXTS.get(code, f"Error {code}")


def error_body(code: int, message: str, status: int) -> bytes:
    """The JSON body of an error answer."""
    return json.dumps(
        {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
    ).encode()


def error(code: int, message: str | None = None) -> Refusal:
    """The answer that refuses with a code; in other words than the usual ones where some are given."""
    status = _STATUSES.get(code, 400)
    headers = [(b"www-authenticate", b'Basic realm="Twilio API"')] if code == AUTHENTICATE else []
    return Refusal(status, error_body(code, message or text_of(code), status), headers=headers)


def invalid(name: str, value: str) -> Refusal:
    """The answer to a parameter whose value is none that it takes."""
    return error(INVALID_PARAMETER, f"Invalid parameter '{name}': {value[:100]!r}")
