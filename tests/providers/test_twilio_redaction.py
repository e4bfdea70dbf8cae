"""Messages are deleted at Twilio, and what is not is told apart from what never was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from providers.errors import Misconfigured, RateLimited, Transient
from providers.transport import PooledTransport
from providers.twilio_http import TwilioAccount
from providers.twilio_redaction import TwilioRedaction
from tests.providers.adapters import ACCOUNT_SID, no
from tests.providers.stub import Drop, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.errors import ProviderError
    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")

SID = f"SM{1:032x}"


@pytest.fixture
def redaction(stub: StubServer) -> Iterator[TwilioRedaction]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=1)
    yield TwilioRedaction(TwilioAccount(ACCOUNT_SID, "made-up", stub.url), lines)
    lines.close()


def test_a_message_is_deleted_with_all_that_is_in_it(redaction: TwilioRedaction, stub: StubServer) -> None:
    stub.script.append(Reply(204))
    redaction.redact(SID)
    (asked,) = stub.requests
    assert (asked.method, asked.path, asked.body) == (
        "DELETE",
        f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{SID}.json",
        b"",
    )


def test_one_that_is_gone_already_is_not_missed(redaction: TwilioRedaction, stub: StubServer) -> None:
    stub.script.append(no(404, 20404, "The requested resource was not found"))
    redaction.redact(SID)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no(409, 20009, "Cannot delete message because delivery has not been completed."), Transient),
        (no(400, 20001, "what nobody expects"), Transient),
        (no(500, 20500, "unwell"), Transient),
        (Drop(body_read=True), Transient),
        (no(429, 20429, "too many"), RateLimited),
        (no(401, 20003, "Authenticate"), Misconfigured),
        (Reply(404, {}, b"<html>"), Misconfigured),
    ],
)
def test_what_is_still_there_is_told_by_what_may_mend_it(
    redaction: TwilioRedaction, stub: StubServer, answer: Reply | Drop, kind: type[ProviderError]
) -> None:
    stub.script.append(answer)
    with pytest.raises(kind):
        redaction.redact(SID)


@pytest.mark.parametrize("message_id", ["", "unknown", f"{SID}/Media", "../Calls"])
def test_an_id_that_is_none_is_not_asked_for(
    redaction: TwilioRedaction, stub: StubServer, message_id: str
) -> None:
    redaction.redact(message_id)
    assert not stub.requests
