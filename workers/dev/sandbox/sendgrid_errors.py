"""SendGrid's error answers, in its own words.

Source: SendGrid's "Errors" page of the Mail Send API. Where it gives no words (unknown parameters, the size
of ``custom_args``, the order of content, 415), they are of the same style.
"""

from __future__ import annotations

import json
from typing import Final

from workers.dev.sandbox.exchange import Refusal

_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#"
_TYPES: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}

UNAUTHORIZED = "The provided authorization grant is invalid, expired, or revoked"
WRONG_CONTENT_TYPE = "Content-Type should be application/json."
NO_PERSONALIZATIONS = "The personalizations field is required and must have at least one personalization."
NO_TO = (
    "The to array is required for all personalization objects, and must have at least one email object "
    "with a valid email address."
)
NO_VALID_ADDRESS = "Does not contain a valid address."
NO_FROM = (
    "The from object must be provided for every email send. It is an object that requires the email "
    "parameter, but may also contain a name parameter.  "
    'e.g. {"email" : "example@example.com"}  or '
    '{"email" : "example@example.com", "name" : "Example Recipient"}.'
)
NO_VALID_FROM = "The from email does not contain a valid address."
NO_SUBJECT = (
    "The subject is required. You can get around this requirement if you use a template with a subject "
    "defined or if every personalization has a subject defined."
)
NO_CONTENT = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least "
    "one defined content block. We typically suggest both text/plain and text/html blocks are included, "
    "but only one block is required."
)
NO_CONTENT_VALUE = "The content value must be a string at least one character in length."
CONTENT_ORDER = "If present, text/plain must be the first content block, followed by text/html."


def error(message: str, field: str | None = None, anchor: str | None = None) -> dict[str, str | None]:
    """One error: what is wrong, where, and the anchor of the help page."""
    return {"message": message, "field": field, "help": _HELP + anchor if anchor else None}


def wrong_type(field: str, expected: str, given: object, anchor: str | None = None) -> dict[str, str | None]:
    """The error for a value of another JSON type than expected."""
    message = f"Invalid type. Expected: {expected}, given: {_TYPES[type(given)]}."
    return error(message, field, anchor)


def error_body(*errors: dict[str, str | None]) -> bytes:
    """The JSON body of an error answer."""
    return json.dumps({"errors": errors}, separators=(",", ":")).encode()


def bad_request() -> Refusal:
    """The answer to what is not JSON."""
    return Refusal(400, error_body(error("Bad Request")))


def too_large() -> Refusal:
    """The answer to more than 30 MB. It comes from the server in front of the API, as a page."""
    page = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n</html>\r\n"
    return Refusal(413, page, b"text/html")
