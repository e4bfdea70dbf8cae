"""Questions to a provider: does the message exist, how did it fare, what did it cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from db import json_rows
from db.queries import lookups
from providers.base import MessageState
from providers.errors import Misconfigured, ProviderError, RateLimited, Transient
from services.notifications.lookups import HORIZON, LookupPolicy, Lookups
from tests.notifications.pipeline import LEASE, never
from tests.notifications.told import NUMBER, Told, message_id, says

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from tests.notifications.told import Made
    from workers.dev.application import Client

POLICY = LookupPolicy(
    send_lease=timedelta(seconds=LEASE),
    status_again=timedelta(minutes=10),
    fallback_after=timedelta(minutes=30),
)


@dataclass
class Provider:
    """A provider's list of messages, as it would answer."""

    messages: list[MessageState] = field(default_factory=list)
    error: ProviderError | None = None
    asked: list[tuple[str, object]] = field(default_factory=list)

    def fetch(self, message_id: str) -> MessageState | None:
        self.asked.append(("fetch", message_id))
        self._fail()
        return next((each for each in self.messages if each.message_id == message_id), None)

    def search(self, recipient: str, sent_on: date) -> Sequence[MessageState]:
        self.asked.append((recipient, sent_on))
        self._fail()
        return [each for each in self.messages if each.created_at and each.created_at.date() == sent_on]

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def told(
    sessions: sessionmaker[Session], application: sessionmaker[Session], clock: Clock, client: Client
) -> Told:
    return Told(sessions, application, clock, client.user_id)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def asking(told: Told, provider: Provider) -> Lookups:
    return Lookups(told.sessions, {"SMS": provider, "WHATSAPP": provider}, "FR", POLICY, told.clock)


def schedule(told: Told, kind: str, token: UUID) -> None:
    with told.sessions.begin() as session:
        rows = [{"token": token, "kind": kind, "due_at": told.clock.now}]
        lookups.schedule(session, json_rows.dumps(rows))


def question(told: Told, made: Made) -> Any:
    rows = told.rows("select * from fleet.lookups where token = :token", token=made.tokens[-1])
    return rows[0] if rows else None


def state(told: Told, made: Made, status: str, **more: Any) -> MessageState:
    found = MessageState(message_id(made.tokens[-1]), status, told.clock.now, created_at=made.opened_at)
    return replace(found, **more)


PRICED = {"price": Decimal("0.0725"), "price_unit": "EUR", "segments": 2}


def test_an_accepted_messages_fate_and_price_are_written_down(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("SMS", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    provider.messages = [state(told, made, "delivered", **PRICED)]
    assert asking.run(never) == 1
    assert told.receipt(made.tokens[0]).delivered_at == told.clock.now
    attempt = told.attempt(made.tokens[0])
    assert (attempt.segments, attempt.price, attempt.price_unit) == (2, Decimal("0.0725"), "EUR")
    assert attempt.evidence == "ANSWER"
    assert question(told, made) is None


def test_it_is_asked_again_with_growing_pauses_and_not_for_ever(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("SMS", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    provider.messages = [state(told, made, "delivered")]
    pauses = []
    while (row := question(told, made)) is not None:
        told.clock.now = max(row.due_at, told.clock.now)
        asking.run(never)
        later = question(told, made)
        if later is not None:
            pauses.append((later.due_at - told.clock.now).total_seconds() / 60)
    assert pauses[:4] == [10, 20, 40, 80]
    assert len(provider.asked) == 6
    assert told.clock.now == made.opened_at + HORIZON


def test_a_failure_learnt_by_asking_counts_like_one_that_was_told(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    provider.messages = [state(told, made, "undelivered", code="63024", reason="Invalid recipient")]
    asking.run(never)
    assert told.delivery(made).status == "FAILED"
    assert told.row("select reason from fleet.fallbacks").reason == "FAILED"


def test_an_overdue_whatsapp_message_gives_way_when_it_is_asked_for_and_still_not_there(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    provider.messages = [state(told, made, "sent")]
    asking.run(never)
    assert told.rows("select from fleet.fallbacks") == []
    told.clock.forward(600)
    asking.run(never)
    assert question(told, made).due_at == made.opened_at + POLICY.fallback_after
    told.clock.forward(1199)
    assert asking.run(never) == 0
    told.clock.forward(1)
    asking.run(never)
    assert told.row("select reason from fleet.fallbacks").reason == "NOT_DELIVERED"
    assert told.delivery(made).status == "SENT"


@pytest.mark.parametrize("by", ["callback", "answer"])
def test_one_that_has_arrived_does_not(told: Told, provider: Provider, asking: Lookups, by: str) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    if by == "callback":
        told.tell(says(made, "delivered", told.clock.now))
    provider.messages = [state(told, made, "sent" if by == "callback" else "read")]
    told.clock.forward(3600)
    asking.run(never)
    assert told.rows("select from fleet.fallbacks") == []


def test_one_that_the_provider_does_not_know_gives_way_too(told: Told, asking: Lookups) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    told.clock.forward(3600)
    asking.run(never)
    assert question(told, made).last_error == "the provider knows no such message"
    assert told.row("select reason from fleet.fallbacks").reason == "NOT_DELIVERED"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Transient("http_503", "busy"), 900),
        (RateLimited("20429", "slower", 7), 7),
        (Misconfigured("20003", "no"), 900),
    ],
)
def test_a_question_that_is_not_answered_is_put_later_and_nothing_gives_way(
    told: Told, provider: Provider, asking: Lookups, error: ProviderError, seconds: float
) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    told.clock.forward(3600)
    provider.error = error
    assert asking.run(never) == 1
    row = question(told, made)
    assert (row.due_at - told.clock.now).total_seconds() == seconds
    assert (row.tries, row.lease_until, row.last_error) == (0, None, str(error))
    assert told.rows("select from fleet.fallbacks") == []


def test_a_lost_message_is_found_and_not_sent_again(told: Told, provider: Provider, asking: Lookups) -> None:
    made = told.make("SMS", None, recipient="06 39 98 00 01")
    schedule(told, "SEARCH", made.tokens[0])
    provider.messages = [state(told, made, "sent", body="Bonjour")]
    asking.run(never)
    assert provider.asked[0] == (NUMBER, made.opened_at.date())
    attempt = told.attempt(made.tokens[0])
    assert (attempt.outcome, attempt.evidence) == ("ACCEPTED", "LOOKUP")
    assert attempt.provider_message_id == message_id(made.tokens[0])
    assert told.delivery(made).status == "SENT"
    assert told.delivery(made).provider_response["evidence"] == "lookup"
    assert not told.queued(made)
    row = question(told, made)
    assert (row.kind, row.due_at, row.tries) == ("STATUS", told.clock.now + POLICY.status_again, 0)


def test_one_that_is_not_there_is_searched_for_again(told: Told, provider: Provider, asking: Lookups) -> None:
    made = told.make("SMS", None)
    schedule(told, "SEARCH", made.tokens[0])
    seen: list[float] = []
    for _ in range(4):
        asking.run(never)
        row = question(told, made)
        assert (row.kind, row.last_error) == ("SEARCH", "not in the provider's list")
        seen.append((row.due_at - told.clock.now).total_seconds())
        told.clock.now = row.due_at
    assert seen == [30, 60, 120, 240]
    assert told.attempt(made.tokens[0]).outcome is None
    provider.messages = [state(told, made, "sent", created_at=made.opened_at + timedelta(seconds=20))]
    asking.run(never)
    assert told.delivery(made).status == "SENT"


def test_a_message_that_is_another_attempts_is_nobodys_proof(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    sent, lost = told.make("SMS", "ACCEPTED"), told.make("SMS", None)
    schedule(told, "SEARCH", lost.tokens[0])
    provider.messages = [state(told, sent, "sent")]
    asking.run(never)
    assert told.attempt(lost.tokens[0]).outcome is None


def test_two_lost_to_one_person_are_found_together_or_left_open(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    one, two = told.make("SMS", None), told.make("SMS", None, recipient="06 39 98 00 01")
    elsewhere = told.make("SMS", None, recipient="+33639980002")
    schedule(told, "SEARCH", one.tokens[0])
    provider.messages = [state(told, one, "failed", code="30005")]
    asking.run(never)
    assert "nobody can tell" in question(told, one).last_error
    assert told.attempt(one.tokens[0]).outcome is None

    provider.messages.append(state(told, two, "delivered"))
    told.clock.forward(30)
    asking.run(never)
    assert {told.attempt(each.tokens[0]).outcome for each in (one, two)} == {"ACCEPTED"}
    assert told.attempt(elsewhere.tokens[0]).outcome is None
    # Which of them failed is not known, so neither has.
    assert {told.delivery(each).status for each in (one, two)} == {"SENT"}
    assert {question(told, each).kind for each in (one, two)} == {"STATUS"}


def test_a_callback_that_came_first_turns_the_search_into_a_question_for_the_price(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("SMS", None)
    schedule(told, "SEARCH", made.tokens[0])
    told.tell(says(made, "delivered", told.clock.now))
    provider.messages = [state(told, made, "delivered", **PRICED)]
    asking.run(never)
    assert provider.asked == [("fetch", message_id(made.tokens[0]))]
    assert question(told, made) is None


@pytest.mark.parametrize("outcome", ["REFUSED", "NO_EVIDENCE"])
def test_there_is_nothing_to_ask_of_what_has_ended_otherwise(
    told: Told, provider: Provider, asking: Lookups, outcome: str
) -> None:
    made = told.make("SMS", outcome)
    schedule(told, "SEARCH", made.tokens[0])
    asking.run(never)
    assert question(told, made) is None
    assert provider.asked == []


def test_nobody_else_asks_what_is_being_asked(told: Told, asking: Lookups) -> None:
    made = told.make("SMS", "ACCEPTED")
    schedule(told, "STATUS", made.tokens[0])
    with told.sessions.begin() as session:
        until = told.clock.now + timedelta(minutes=2)
        (mine,) = lookups.claim(session, 5, told.clock.now, until)
    assert asking.run(never) == 0
    told.clock.forward(120)
    assert asking.run(never) == 1
    with told.sessions.begin() as session:
        lookups.finish(session, mine)  # whoever was late has no say
    assert question(told, made) is not None


def test_questions_that_nobody_has_put_down_are_found(told: Told, asking: Lookups) -> None:
    lost, late = told.make("SMS", None), told.make("WHATSAPP", "ACCEPTED")
    arrived, paid_for = told.make("WHATSAPP", "ACCEPTED"), told.make("SMS", "ACCEPTED")
    asked, mail = told.make("SMS", None), told.make("EMAIL", None)
    told.tell(says(arrived, "delivered", told.clock.now))
    schedule(told, "SEARCH", asked.tokens[0])
    assert asking.sweep() == 0
    told.clock.forward(LEASE)
    assert asking.sweep() == 1
    assert question(told, lost).kind == "SEARCH"
    told.clock.forward(1800)
    assert asking.sweep() == 1
    assert question(told, late).kind == "STATUS"
    assert asking.sweep() == 0
    assert [question(told, each) for each in (arrived, paid_for, mail)] == [None] * 3


def test_one_that_no_channel_takes_over_is_not_asked_for_over_and_over(
    told: Told, provider: Provider, asking: Lookups
) -> None:
    made = told.make("WHATSAPP", "ACCEPTED")
    told.make("SMS", "ACCEPTED")
    told.change(
        "update fleet.delivery_places set channel = 'SMS' where notification_id = :id",
        id=made.notification_id,
    )
    provider.messages = [state(told, made, "sent")]
    for _ in range(50):
        told.clock.forward(1800)
        asking.sweep()
        asking.run(never)
    assert len(provider.asked) <= 7
    assert question(told, made) is None
