"""Letters to people without an account go through the engine as deliveries do."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import text

from db.queries import failures, story
from db.queries.failures import Wanted
from services.notifications.pace import Pace
from tests.notifications.pipeline import JITTER, POLICY, UNKNOWN_WAIT, email, never
from tests.notifications.prospects import PROSPECT, Prospects
from workers import telling

if TYPE_CHECKING:
    from db.queries.failures import Listed
    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


@pytest.fixture
def prospects(pipeline: Pipeline) -> Prospects:
    return Prospects(pipeline.sessions, pipeline.application, pipeline.clock)


@pytest.fixture
def link(prospects: Prospects) -> UUID:
    """A link whose letter is in the queue."""
    link_id = prospects.link()
    assert prospects.links.run(never) == 1
    return link_id


@pytest.fixture
def lost(pipeline: Pipeline, sandbox: SandboxClient, link: UUID) -> UUID:
    """A link whose letter the sandbox has accepted, and the fleet has no answer to."""
    sandbox.fault("drop_after")
    assert pipeline.send() == 1
    return link


def hear(pipeline: Pipeline, token: UUID, event: str, **more: object) -> None:
    """SendGrid posts something about an attempt's message."""
    body = {"event": event, "attempt": str(token), "timestamp": int(pipeline.clock.now.timestamp()), **more}
    pipeline.change(
        "insert into fleet.inbox (provider, callback_id, body)"
        " values ('sendgrid', :id, cast(:body as jsonb))",
        id=uuid4().hex,
        body=json.dumps(body),
    )


def listed(pipeline: Pipeline, letter_id: UUID) -> Listed:
    with pipeline.sessions() as session:
        (found,) = failures.find(session, Wanted([letter_id]), 10)
    return found


def test_a_letter_goes_out_once_in_its_words(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, sandbox: SandboxClient, link: UUID
) -> None:
    assert pipeline.send() == 1
    assert pipeline.send() == 0
    assert prospects.links.run(never) == 0
    (summary,) = sandbox.messages()
    message = sandbox.message(summary.id)
    assert (message.recipient, message.categories) == (PROSPECT, ["PAYMENT_LINK"])
    assert message.text.startswith("Bonjour Camille Exemple,")
    assert f"https://app.example.com/onboarding/{prospects.row(link).token}" in message.html
    assert "List-Unsubscribe" not in str(message.request)

    letter = prospects.letter(link)
    assert (letter.status, letter.provider, letter.provider_message_id) == ("SENT", "sendgrid", message.id)
    assert (letter.sent_at, letter.failed_at, letter.provider_response) == (clock.now, None, {"status": 202})
    (attempt,) = pipeline.attempts(letter.id)
    assert (attempt.outcome, attempt.evidence) == ("ACCEPTED", "ANSWER")
    assert message.custom_args == {"attempt": str(attempt.token)}
    assert pipeline.queued(letter.id) is None


def test_letters_and_deliveries_go_out_side_by_side(
    app: Application, client: Client, pipeline: Pipeline, prospects: Prospects, link: UUID
) -> None:
    delivery_id = email(app, client)
    assert pipeline.send() == 2
    assert pipeline.delivery(delivery_id).status == prospects.letter(link).status == "SENT"


def test_a_letter_is_tried_again(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, sandbox: SandboxClient, link: UUID
) -> None:
    sandbox.fault("status", status=503)
    pipeline.send()
    letter = prospects.letter(link)
    assert letter.status == "PENDING"
    clock.now += POLICY.backoff(1, lambda: JITTER)
    pipeline.send()
    assert prospects.letter(link).status == "SENT"
    assert [attempt.outcome for attempt in pipeline.attempts(letter.id)] == ["DEFERRED", "ACCEPTED"]


def test_a_refused_letter_is_listed_and_sent_once_more_by_hand(
    pipeline: Pipeline, prospects: Prospects, sandbox: SandboxClient, link: UUID
) -> None:
    sandbox.fault("status", status=400)
    pipeline.send()
    letter = prospects.letter(link)
    assert (letter.status, letter.provider_response["code"]) == ("FAILED", "http_400")
    found = listed(pipeline, letter.id)
    assert (found.channel, found.status, found.template_code) == ("EMAIL", "FAILED", "PAYMENT_LINK")
    assert (found.attempts, found.code, found.obstacle) == (1, "http_400", None)
    with pipeline.sessions.begin() as session:
        assert failures.retry(session, [letter.id]) == [letter.id]
    pipeline.send()
    assert prospects.letter(link).status == "SENT"
    assert listed(pipeline, letter.id).obstacle == "is SENT"


def test_an_unknown_outcome_is_settled_by_evidence(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    letter = prospects.letter(lost)
    (attempt,) = pipeline.attempts(letter.id)
    assert (letter.status, attempt.outcome) == ("PENDING", None)
    clock.forward(60)
    pipeline.write_back(attempt.token, sandbox.messages()[0].id)
    assert pipeline.evidence().run(never) == 1
    letter = prospects.letter(lost)
    assert (letter.status, letter.provider, letter.sent_at) == ("SENT", "sendgrid", clock.now)
    assert letter.provider_message_id == sandbox.messages()[0].id
    assert pipeline.queued(letter.id) is None
    clock.forward(UNKNOWN_WAIT)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1


def test_without_evidence_it_is_sent_again_after_the_wait(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, lost: UUID
) -> None:
    clock.forward(UNKNOWN_WAIT - 1)
    assert pipeline.send() == 0
    clock.forward(1)
    assert pipeline.send() == 1
    letter = prospects.letter(lost)
    assert letter.status == "SENT"
    assert [attempt.outcome for attempt in pipeline.attempts(letter.id)] == ["NO_EVIDENCE", "ACCEPTED"]


def test_a_letter_that_came_back_suppresses_its_address(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, sandbox: SandboxClient, link: UUID
) -> None:
    pipeline.send()
    letter = prospects.letter(link)
    hear(pipeline, pipeline.attempts(letter.id)[0].token, "delivered")
    pipeline.evidence().run(never)
    hear(
        pipeline,
        pipeline.attempts(letter.id)[0].token,
        "bounce",
        type="bounce",
        email=PROSPECT,
        reason="550 nobody",
    )
    pipeline.evidence().run(never)
    letter = prospects.letter(link)
    assert (letter.status, letter.failed_at is not None) == ("BOUNCED", True)
    assert (letter.provider_response["receipt"], letter.provider_response["error"]) == (
        "BOUNCED",
        "550 nobody",
    )
    assert listed(pipeline, letter.id).receipt == "BOUNCED"

    clock.forward(60)
    another = prospects.link(PROSPECT.upper())
    prospects.links.run(never)
    pipeline.send()
    refused = prospects.letter(another)
    assert (refused.status, refused.provider_response["code"]) == ("FAILED", "suppressed")
    assert "the address does not exist (HARD_BOUNCE" in refused.provider_response["error"]
    assert len(sandbox.messages()) == 1


def test_a_callback_waits_for_whoever_has_the_letter(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, link: UUID
) -> None:
    pipeline.send()
    letter = prospects.letter(link)
    hear(pipeline, pipeline.attempts(letter.id)[0].token, "bounce")
    with pipeline.application.begin() as other:
        other.execute(text("select from fleet.letters where id = :id for update"), {"id": letter.id})
        pipeline.evidence().run(never)
        assert prospects.letter(link).status == "SENT"
    clock.forward(60)
    pipeline.evidence().run(never)
    assert prospects.letter(link).status == "BOUNCED"


OVER = {
    "used": "update payment_links set used_at = now() where id = :id",
    "run out": "update payment_links set expires_at = created_at + interval '1 s' where id = :id",
    "gone": "delete from payment_links where id = :id",
}


@pytest.mark.parametrize("how", [*OVER, "ordered"])
def test_what_has_lost_its_use_before_it_left_is_not_sent(
    client: Client, pipeline: Pipeline, prospects: Prospects, sandbox: SandboxClient, link: UUID, how: str
) -> None:
    pipeline.clock.forward(60)
    if how in OVER:
        prospects.change(OVER[how], id=link)
    else:
        prospects.order(link, client.user_id)
    pipeline.send()
    letter = prospects.letter(link)
    assert (letter.status, letter.provider_response["code"]) == ("FAILED", "link_over")
    assert listed(pipeline, letter.id).obstacle == "its payment link is of no use any more"
    assert (sandbox.messages(), pipeline.queued(letter.id)) == ([], None)


def test_a_use_ends_the_wait_for_evidence_and_proof_still_counts(
    pipeline: Pipeline, prospects: Prospects, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    prospects.change(OVER["used"], id=lost)
    clock.forward(UNKNOWN_WAIT)
    pipeline.send()
    letter = prospects.letter(lost)
    assert (letter.status, pipeline.attempts(letter.id)[0].outcome) == ("FAILED", "NO_EVIDENCE")
    pipeline.write_back(pipeline.attempts(letter.id)[0].token, sandbox.messages()[0].id)
    pipeline.evidence().run(never)
    assert prospects.letter(lost).status == "SENT"
    assert len(sandbox.messages()) == 1


def test_prospects_do_not_share_one_persons_limit(
    pipeline: Pipeline, prospects: Prospects, sandbox: SandboxClient
) -> None:
    for number in range(3):
        prospects.link(f"prospect{number}@example.com")
    prospects.links.run(never)
    limiter = MovingWindowRateLimiter(MemoryStorage())
    pace = Pace("EMAIL", limiter, RateLimitItemPerMinute(100), RateLimitItemPerHour(1), time.time)
    pipeline.drain(pace=pace).run(never)
    assert len(sandbox.messages()) == 3


def test_its_story_is_told_without_the_address_and_the_secret(
    pipeline: Pipeline, prospects: Prospects, link: UUID
) -> None:
    letter = prospects.letter(link)
    pipeline.change(
        "insert into fleet.suppressions (channel, address, reason, source)"
        " values ('EMAIL', :address, 'BY_HAND', 'dominique')",
        address=PROSPECT,
    )
    with pipeline.sessions() as session:
        waiting = story.find(session, letter.id)
    assert waiting is not None
    told = {moment.what: moment.told for moment in telling.tell(waiting, pipeline.clock.now)}
    assert told["letter"] == f"EMAIL of payment link {link}, PAYMENT_LINK"
    assert told["queue"].startswith("due ")
    assert "BY_HAND, said by dominique" in told["address"]

    pipeline.change("delete from fleet.suppressions")
    pipeline.send()
    with pipeline.sessions() as session:
        sent = story.find(session, pipeline.attempts(letter.id)[0].token)
    assert sent is not None
    moments = telling.tell(sent, pipeline.clock.now + timedelta(minutes=1))
    assert [moment.what for moment in moments] == ["letter", "attempt", "attempt", "end"]
    words = " ".join(moment.told for moment in moments)
    assert PROSPECT not in words
    assert prospects.row(link).token not in words
