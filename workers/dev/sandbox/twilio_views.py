"""A message as Twilio's API shows it, alone and in a page of a list.

Source: Twilio's OpenAPI description (2026-04).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from workers.dev.sandbox import twilio_errors as codes
from workers.dev.sandbox.phones import WHATSAPP
from workers.dev.sandbox.twilio_errors import error, invalid, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workers.dev.sandbox.phones import PhoneMessage, Phones

API: Final = "2010-04-01"
_USUAL_PAGE, _LONGEST_PAGE = 50, 1000
_FILTERS = frozenset({"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page", "PageToken"})
# About what Twilio asks for France; nobody's bill.
_PRICES: Final = {"sms": Decimal("0.0798"), "whatsapp": Decimal("0.0050")}
_FREE = frozenset({"failed", "canceled"})


def resource(message: PhoneMessage, account: str, price_delay: float) -> dict[str, Any]:
    """A message as a request for it shows it.

    Args:
        message: The message.
        account: The account's id.
        price_delay: Seconds from its way out until its price is known.
    """
    uri = f"/{API}/Accounts/{account}/Messages/{message.sid}"
    return {
        "account_sid": account,
        "api_version": API,
        "body": message.body,
        "date_created": _moment(message.created_at),
        "date_sent": _moment(message.sent_at),
        "date_updated": _moment(message.updated_at),
        "direction": "inbound" if message.inbound else "outbound-api",
        "error_code": message.error_code,
        "error_message": None if message.error_code is None else text_of(message.error_code),
        "from": message.sender,
        "messaging_service_sid": None,
        "num_media": str(message.media),
        "num_segments": str(message.segments),
        "price": _price(message, price_delay),
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def page(phones: Phones, account: str, query: str, price_delay: float) -> dict[str, Any]:
    """One page of the list of messages, newest first.

    Args:
        phones: All messages.
        account: The account's id.
        query: The request's, undecoded.
        price_delay: As for `resource`.

    Raises:
        Refusal: A parameter is unknown, or its value is none that it takes.
    """
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := [name for name in asked if name not in _FILTERS]:
        raise error(codes.UNKNOWN_PARAMETERS, f"Unknown parameters: {', '.join(unknown)}")
    size, number = _whole(asked, "PageSize", _USUAL_PAGE), _whole(asked, "Page", 0)
    if not 1 <= size <= _LONGEST_PAGE:
        raise invalid("PageSize", asked["PageSize"])
    found = _found(phones, asked)
    if token := asked.get("PageToken"):
        # Where the page before ended: what is new since then moves nothing.
        found = _after(found, token.removeprefix("PA"))
    shown = list(islice(found, size))
    further = next(found, None) is not None
    path = f"/{API}/Accounts/{account}/Messages.json"
    kept = {name: value for name, value in asked.items() if not name.startswith("Page")} | {"PageSize": size}

    def uri(page_number: int, **more: str) -> str:
        return f"{path}?{urlencode(kept | {'Page': page_number} | more)}"

    return {
        "end": number * size + max(len(shown) - 1, 0),
        "first_page_uri": uri(0),
        "messages": [resource(message, account, price_delay) for message in shown],
        "next_page_uri": uri(number + 1, PageToken=f"PA{shown[-1].sid}") if further else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": None if number == 0 else uri(number - 1),
        "start": number * size,
        "uri": f"{path}?{query}" if query else path,
    }


def _found(phones: Phones, asked: Mapping[str, str]) -> Iterator[PhoneMessage]:
    tests: list[Callable[[PhoneMessage], bool]] = []
    number = None
    if to := asked.get("To"):
        tests.append(lambda message: message.to == to)
    if sender := asked.get("From"):
        tests.append(lambda message: message.sender == sender)
    if to and phones.knows(phone := to.removeprefix(WHATSAPP)):
        number = phone
    tests += [_sent(name, asked[name]) for name in ("DateSent", "DateSent<", "DateSent>") if name in asked]
    return (message for message in phones.newest(number) if all(test(message) for test in tests))


def _sent(name: str, value: str) -> Callable[[PhoneMessage], bool]:
    """Whether a message was sent on a day, or until or since a day or moment, itself included."""
    try:
        day = date.fromisoformat(value[:10])
        moment = datetime.fromisoformat(value) if len(value) > len("2026-01-01") else None
    except ValueError:
        raise invalid(name, value) from None
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    first, last = start, start + timedelta(days=1, microseconds=-1)
    if name == "DateSent<":
        first, last = datetime.min.replace(tzinfo=UTC), moment or last
    elif name == "DateSent>":
        first, last = moment or first, datetime.max.replace(tzinfo=UTC)
    return lambda message: message.sent_at is not None and first <= message.sent_at <= last


def _after(found: Iterator[PhoneMessage], sid: str) -> Iterator[PhoneMessage]:
    for message in found:
        if message.sid == sid:
            break
    return found


def _whole(asked: Mapping[str, str], name: str, default: int) -> int:
    value = asked.get(name)
    if value is None:
        return default
    if not value.isdecimal():
        raise invalid(name, value)
    return int(value)


def _price(message: PhoneMessage, delay: float) -> str | None:
    if message.sent_at is None or message.status in _FREE:
        return None
    if (datetime.now(UTC) - message.sent_at).total_seconds() < delay:
        return None
    return str(-_PRICES[message.channel] * message.segments)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment.replace(microsecond=0))
