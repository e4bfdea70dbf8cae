"""Whether the providers take our keys, by a question to each that changes nothing."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from providers.checks import base_url as checked_base_url
from providers.checks import secret
from providers.errors import Ambiguous, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from providers.transport import PooledTransport, Response
    from providers.twilio_http import TwilioAccount

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})

SEND_SCOPE = "mail.send"
ERASE_SCOPE = "recipients.erasejob.create"


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """What a provider says of a key.

    Attributes:
        refused: Why the fleet cannot work with it; empty where it can.
        told: What the key or its account is.
        lacks: What cannot be done with it beside that; empty where nothing is missed.
        date: The provider's clock, to the second; None where it did not say.
    """

    refused: str
    told: str
    lacks: str
    date: datetime | None


def sendgrid(api_key: str, base_url: str, transport: PooledTransport) -> KeyAnswer:
    """Ask SendGrid for the scopes of a key.

    Source: SendGrid, ``GET /v3/scopes``; every key may ask for its own.

    Args:
        api_key: The key, ``SG.…``.
        base_url: ``https://api.sendgrid.com``, or where something else speaks its API.
        transport: The lines.

    Raises:
        Transient: SendGrid is away.
        ValueError: A setting is malformed.
    """
    url = checked_base_url(base_url, "SendGrid") + "/v3/scopes"
    answer = _ask(url, f"Bearer {secret(api_key, 'SendGrid API key')}", transport)
    refused = _refused(answer)
    if refused:
        return KeyAnswer(refused, "", "", _date(answer))
    scopes = _content(answer).get("scopes") or ()
    return KeyAnswer(
        refused="" if SEND_SCOPE in scopes else f"it lacks the scope {SEND_SCOPE}",
        told=f"the key has {len(scopes)} scopes",
        lacks="" if ERASE_SCOPE in scopes else f"it lacks the scope {ERASE_SCOPE}: nobody is erased there",
        date=_date(answer),
    )


def twilio(account: TwilioAccount, transport: PooledTransport) -> KeyAnswer:
    """Ask Twilio for our own account.

    Source: Twilio's "Account" resource. Its answer has the token in it, so nothing of it is passed on but two
    words. A trial account writes to verified numbers alone.

    Args:
        account: Whose.
        transport: The lines.

    Raises:
        Transient: Twilio is away.
    """
    pair = base64.b64encode(f"{account.sid}:{account.auth_token}".encode()).decode()
    url = f"{account.base_url}/2010-04-01/Accounts/{account.sid}.json"
    answer = _ask(url, f"Basic {pair}", transport)
    refused = _refused(answer)
    if refused:
        return KeyAnswer(refused, "", "", _date(answer))
    content = _content(answer)
    status, kind = content.get("status"), content.get("type")
    return KeyAnswer(
        refused="" if status == "active" else f"the account is {status}",
        told=f"the account is {status}, {kind}",
        lacks="it is a trial account, which writes to verified numbers alone" if kind == "Trial" else "",
        date=_date(answer),
    )


def stripe(api_key: str, base_url: str, transport: PooledTransport) -> KeyAnswer:
    """Ask Stripe for one event: a restricted key that may read events is told apart from one that may not.

    Args:
        api_key: The secret key, ``sk_…``, or a restricted one, ``rk_…``.
        base_url: ``https://api.stripe.com``, or where something else speaks its API.
        transport: The lines.

    Raises:
        Transient: Stripe is away.
        ValueError: A setting is malformed.
    """
    url = checked_base_url(base_url, "Stripe") + "/v1/events?limit=1"
    answer = _ask(url, f"Bearer {secret(api_key, 'Stripe secret key')}", transport)
    mode = "live" if "_live_" in api_key else "test"
    return KeyAnswer(_refused(answer), f"the key is of {mode} mode", "", _date(answer))


def _ask(url: str, authorization: str, transport: PooledTransport) -> Response:
    headers = {"Authorization": authorization, "Accept": "application/json"}
    try:
        answer = transport.request("GET", url, headers)
    except Ambiguous as lost:
        raise Transient(lost.code, lost.detail) from lost
    if answer.status != HTTPStatus.OK and answer.status not in _REFUSED:
        raise Transient(f"http_{answer.status}", "no answer to the question")
    return answer


def _refused(answer: Response) -> str:
    return "" if answer.status == HTTPStatus.OK else f"it is refused with http_{answer.status}"


def _content(answer: Response) -> Mapping[str, Any]:
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Transient("unreadable_answer", "the answer is no JSON object")
    return content


def _date(answer: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
