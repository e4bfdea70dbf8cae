"""SendGrid is asked to erase addresses, and a no is told apart by what may mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from providers.errors import Misconfigured, RateLimited, Transient
from providers.sendgrid_erasure import SendGridErasure
from providers.transport import PooledTransport
from tests.providers.adapters import RECIPIENT, told
from tests.providers.stub import Drop, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from providers.errors import ProviderError
    from tests.providers.stub import StubServer

pytestmark = pytest.mark.usefixtures("described")


@pytest.fixture
def erasure(stub: StubServer) -> Iterator[SendGridErasure]:
    lines = PooledTransport(connect_timeout=2, read_timeout=5, connections=1)
    yield SendGridErasure("SG.made-up", stub.url, lines)
    lines.close()


def test_addresses_are_named_once(erasure: SendGridErasure, stub: StubServer) -> None:
    stub.script.append(told(202, {"job_id": "made-up"}))
    erasure.erase([RECIPIENT])
    (asked,) = stub.requests
    assert json.loads(asked.body) == {"email_addresses": [RECIPIENT]}
    assert asked.headers["authorization"] == "Bearer SG.made-up"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (told(400, {"errors": [{"message": f"not {RECIPIENT}"}]}), Transient),
        (Reply(500), Transient),
        (Drop(body_read=True), Transient),
        (Reply(200), Transient),
        (Reply(401), Misconfigured),
        (Reply(403), Misconfigured),
        (Reply(429), RateLimited),
    ],
)
def test_what_was_not_taken(
    erasure: SendGridErasure, stub: StubServer, answer: Reply | Drop, kind: type[ProviderError]
) -> None:
    stub.script.append(answer)
    with pytest.raises(kind) as raised:
        erasure.erase([RECIPIENT])
    assert RECIPIENT not in str(raised.value)
