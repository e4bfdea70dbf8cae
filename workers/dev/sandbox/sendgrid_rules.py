"""What SendGrid takes and what it refuses.

Source: SendGrid's OpenAPI description (2026-01) and its "Errors" page of the Mail Send API.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from workers.dev.sandbox import sendgrid_errors as words
from workers.dev.sandbox.exchange import Refusal
from workers.dev.sandbox.sendgrid_errors import bad_request, error, error_body, too_large, wrong_type
from workers.dev.sandbox.store import Recipient

MAX_BODY = 30 * 1024 * 1024
_MAX_CUSTOM_ARGS = 10_000

# A local part beyond ASCII is refused by SendGrid.
_ADDRESS = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+@[^\s@,;:<>()\[\]\"]+\.[^\s@,;:<>()\[\]\".]+", re.ASCII)
_COMMON = frozenset({"from", "subject", "headers", "custom_args", "send_at"})
_PARAMETERS = _COMMON | {
    *("personalizations", "reply_to", "reply_to_list", "content", "attachments", "template_id", "categories"),
    *("batch_id", "asm", "ip_pool_name", "mail_settings", "tracking_settings"),
}
_PERSONALIZATION_PARAMETERS = _COMMON | {"to", "cc", "bcc", "substitutions", "dynamic_template_data"}


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that SendGrid takes."""

    sender: str
    recipients: tuple[Recipient, ...]
    subject: str
    categories: tuple[str, ...]


def inflate(body: bytes, encoding: bytes) -> bytes:
    """The body behind a ``Content-Encoding``; the size limit holds for what comes out."""
    if encoding == b"gzip":
        try:
            body = zlib.decompressobj(wbits=31).decompress(body, MAX_BODY + 1)
        except zlib.error:
            raise bad_request() from None
    if len(body) > MAX_BODY:
        raise too_large()
    return body


def examine(body: bytes) -> Submission:
    """Read a request's body as SendGrid does.

    Raises:
        Refusal: With all errors found.
    """
    try:
        mail = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request() from None
    if not isinstance(mail, dict):
        raise Refusal(400, error_body(wrong_type("(root)", "object", mail)))
    examination = _Examination(mail)
    if examination.errors:
        raise Refusal(400, error_body(*examination.errors))
    return examination.submission()


def part_of(sent: dict[str, Any], content_type: str) -> str:
    """The part of this type of an accepted request; empty if it has none."""
    return next((part["value"] for part in sent.get("content", ()) if part.get("type") == content_type), "")


class _Examination:
    """One pass over one mail; ``errors`` is what it found."""

    def __init__(self, mail: dict[str, Any]) -> None:
        self.errors: list[dict[str, str | None]] = []
        self._mail = mail
        self._recipients: list[Recipient] = []
        self._unknown(mail, _PARAMETERS, "")
        self._typed(mail, "headers", dict, "object")
        self._typed(mail, "reply_to", dict, "object")
        self._typed(mail, "categories", list, "array")
        self._personalizations()
        self._sender()
        self._subject()
        self._content()

    def submission(self) -> Submission:
        first = self._mail["personalizations"][0]
        return Submission(
            sender=self._mail["from"]["email"],
            recipients=tuple(self._recipients),
            subject=str(first.get("subject") or self._mail.get("subject") or ""),
            categories=tuple(map(str, self._mail.get("categories", ()))),
        )

    def _wrong(self, message: str, field: str, anchor: str | None = None) -> None:
        self.errors.append(error(message, field, anchor))

    def _unknown(self, given: dict[str, Any], known: frozenset[str], prefix: str) -> None:
        for name in given:
            if name not in known:
                self._wrong(f"Additional property {name} is not allowed", f"{prefix}{name}")

    def _typed(self, holder: dict[str, Any], name: str, kind: type, expected: str, prefix: str = "") -> Any:
        """The value of a field, which must be of this type if it is there; else an empty one."""
        value = holder.get(name, kind())
        if isinstance(value, kind):
            return value
        self.errors.append(wrong_type(f"{prefix}{name}", expected, value, f"message.{prefix}{name}"))
        return kind()

    def _personalizations(self) -> None:
        # The OpenAPI description calls the top-level one a string; the service refuses a string there.
        common = self._typed(self._mail, "custom_args", dict, "object")
        personalizations = self._typed(self._mail, "personalizations", list, "array")
        if not personalizations:
            self._wrong(words.NO_PERSONALIZATIONS, "personalizations", "-Personalizations-Errors")
        for index, personalization in enumerate(personalizations):
            field = f"personalizations.{index}"
            if not isinstance(personalization, dict):
                self.errors.append(wrong_type(field, "object", personalization))
                continue
            self._unknown(personalization, _PERSONALIZATION_PARAMETERS, f"{field}.")
            arguments = common | self._typed(personalization, "custom_args", dict, "object", f"{field}.")
            size = len(json.dumps(arguments, separators=(",", ":"), ensure_ascii=False).encode())
            if size > _MAX_CUSTOM_ARGS:
                message = f"The custom_args may not exceed {_MAX_CUSTOM_ARGS} bytes, given: {size}."
                self._wrong(message, f"{field}.custom_args", "message.custom_args")
            self._addresses(personalization, field, arguments)

    def _addresses(self, personalization: dict[str, Any], field: str, arguments: dict[str, Any]) -> None:
        anchor = "message.personalizations.to"
        if not personalization.get("to"):
            self._wrong(words.NO_TO, f"{field}.to", anchor)
        for kind in ("to", "cc", "bcc"):
            holders = self._typed(personalization, kind, list, "array", f"{field}.")
            for index, holder in enumerate(holders):
                place = f"{field}.{kind}.{index}"
                if not isinstance(holder, dict):
                    self.errors.append(wrong_type(place, "object", holder, anchor))
                elif not (address := holder.get("email")):
                    self._wrong(f"The {kind} email parameter is required.", f"{place}.email", anchor)
                elif not isinstance(address, str):
                    self.errors.append(wrong_type(f"{place}.email", "string", address, anchor))
                elif not _ADDRESS.fullmatch(address):
                    self._wrong(words.NO_VALID_ADDRESS, f"{place}.email", anchor)
                else:
                    self._recipients.append(Recipient(address, arguments))

    def _sender(self) -> None:
        sender = self._typed(self._mail, "from", dict, "object")
        address = sender.get("email")
        if not address:
            self._wrong(words.NO_FROM, "from.email", "message.from")
        elif not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            self._wrong(words.NO_VALID_FROM, "from.email", "message.from")

    def _subject(self) -> None:
        if self._typed(self._mail, "subject", str, "string") or self._mail.get("template_id"):
            return
        personalizations = self._mail.get("personalizations")
        if not isinstance(personalizations, list) or not all(
            isinstance(each, dict) and each.get("subject") for each in personalizations
        ):
            self._wrong(words.NO_SUBJECT, "subject", "message.subject")

    def _content(self) -> None:
        content = self._typed(self._mail, "content", list, "array")
        if not content and not self._mail.get("template_id"):
            self._wrong(words.NO_CONTENT, "content", "message.content")
        for index, part in enumerate(content):
            value = part.get("value") if isinstance(part, dict) else None
            if not value or not isinstance(value, str):
                self._wrong(words.NO_CONTENT_VALUE, f"content.{index}.value", "message.content.value")
        types = [part.get("type") for part in content if isinstance(part, dict)]
        if "text/plain" in types[1:]:
            self._wrong(words.CONTENT_ORDER, "content", "message.content.type")
