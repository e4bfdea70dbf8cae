from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.base import MessageState
from providers.errors import Misconfigured, Transient
from providers.transport import PooledTransport
from providers.twilio import TwilioSender
from providers.twilio_http import TwilioAccount
from providers.twilio_lookup import PAGE_SIZE, TwilioLookup
from tests.providers.adapters import ACCOUNT_SID, NUMBER, SENDER, no, told
from tests.providers.stub import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")

DAY = date(2026, 11, 21)
LIST = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


def sid(number: int) -> str:
    return f"SM{number:032x}"


def message(number: int, **changed: Any) -> dict[str, Any]:
    """A message as Twilio shows it, just taken."""
    return {
        "sid": sid(number),
        "status": "queued",
        "to": NUMBER,
        "from": SENDER,
        "body": f"Texte {number}",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "price_unit": "EUR",
        "error_code": None,
        "error_message": None,
        "date_created": f"Sat, 21 Nov 2026 10:{number:02}:00 +0000",
        "date_updated": f"Sat, 21 Nov 2026 10:{number:02}:00 +0000",
        "date_sent": None,
        **changed,
    }


def page(*messages: dict[str, Any], following: str | None = None) -> Reply:
    return told(200, {"messages": messages, "page": 0, "page_size": PAGE_SIZE, "next_page_uri": following})


@pytest.fixture(scope="module")
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def lookup(stub: StubServer, transport: PooledTransport) -> TwilioLookup:
    return TwilioLookup(
        TwilioAccount(ACCOUNT_SID, "made-up", stub.url), TwilioSender("WHATSAPP", SENDER), transport
    )


def test_a_message_under_way(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.append(told(200, message(1)))
    at = datetime(2026, 11, 21, 10, 1, tzinfo=UTC)
    assert lookup.fetch(sid(1)) == MessageState(
        sid(1), "queued", at, segments=1, price_unit="EUR", created_at=at, body="Texte 1"
    )
    assert stub.requests[0].path == LIST.replace(".json", f"/{sid(1)}.json")


def test_a_message_that_failed_and_was_charged(lookup: TwilioLookup, stub: StubServer) -> None:
    failed = message(
        1,
        status="undelivered",
        to=f"whatsapp:{NUMBER}",
        error_code=63024,
        error_message=f"Invalid recipient {NUMBER}",
        price="-0.00750",
        price_unit="usd",
        num_segments="3",
        date_updated="Sat, 21 Nov 2026 23:59:59 +0000",
    )
    stub.script.append(told(200, failed))
    state = lookup.fetch(sid(1))
    assert state
    assert (state.status, state.code, state.reason) == ("undelivered", "63024", "Invalid recipient [address]")
    assert (state.segments, state.price, state.price_unit) == (3, Decimal("0.00750"), "USD")
    assert state.at == datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)


def test_the_text_is_not_shown(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.append(told(200, message(1)))
    assert "Texte" not in repr(lookup.fetch(sid(1)))


def test_no_such_message(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.append(no(404, 20404, "The requested resource was not found"))
    assert lookup.fetch(sid(1)) is None


def test_a_wrong_address_is_not_a_missing_message(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.append(Reply(404, {}, b"<html>"))
    with pytest.raises(Misconfigured, match="http_404"):
        lookup.fetch(sid(1))


@pytest.mark.parametrize("message_id", ["", "SM1", f"{sid(1)}/Media", f"{sid(1)}\n", "../Calls", "made-up"])
def test_an_id_that_is_none_is_not_asked_for(lookup: TwilioLookup, stub: StubServer, message_id: str) -> None:
    assert lookup.fetch(message_id) is None
    assert not stub.requests


def test_search(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.append(
        page(
            message(7, date_created="Sun, 22 Nov 2026 00:00:00 +0000"),
            message(2),
            message(5),
            message(3, date_created="Fri, 20 Nov 2026 23:59:59 +0000"),
        )
    )
    assert [state.message_id for state in lookup.search(NUMBER, DAY)] == [sid(5), sid(2)]
    path, _, query = stub.requests[0].path.partition("?")
    assert path == LIST
    assert parse_qs(query) == {
        "To": [f"whatsapp:{NUMBER}"],
        "From": [f"whatsapp:{SENDER}"],
        "PageSize": [str(PAGE_SIZE)],
    }


def test_search_reads_all_pages(lookup: TwilioLookup, stub: StubServer) -> None:
    following = f"{LIST}?Page=1&PageToken=PASM2&PageSize=500"
    stub.script.extend([page(message(2), following=following), page(message(1))])
    assert len(lookup.search(NUMBER, DAY)) == 2
    assert stub.requests[1].path == following


def test_a_page_that_is_lost_loses_the_search(lookup: TwilioLookup, stub: StubServer) -> None:
    stub.script.extend(
        [page(message(2), following=f"{LIST}?Page=1"), no(500, 20500, f"Not to {NUMBER} today")]
    )
    with pytest.raises(Transient, match=r"20500: Not to \[address\] today"):
        lookup.search(NUMBER, DAY)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"messages": 3},
        {"messages": [{}]},
        {"messages": [None]},
        {"messages": [message(1, price="cheap")]},
        {"messages": [message(1, date_created=7)]},
        {"one": [], "two": []},
    ],
)
def test_a_list_that_makes_no_sense(lookup: TwilioLookup, stub: StubServer, body: object) -> None:
    stub.script.append(told(200, body))
    with pytest.raises(Transient, match="unreadable_answer"):
        lookup.search(NUMBER, DAY)


JSON = st.none() | st.integers() | st.text() | st.lists(st.none() | st.text(), max_size=2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(sorted(message(1))), JSON))
def test_any_field_may_be_odd(lookup: TwilioLookup, stub: StubServer, changed: dict[str, Any]) -> None:
    stub.script.append(told(200, message(1, **changed)))
    try:
        state = lookup.fetch(sid(1))
    except Transient:
        return
    assert state
    assert state.price is None or state.price >= 0
