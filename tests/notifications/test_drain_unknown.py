"""Nobody knows whether it was accepted: one attempt stays open, and evidence or time decides."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from tests.notifications.pipeline import (
    LEASE,
    UNKNOWN_WAIT,
    Stalled,
    email,
    execute,
    never,
    side_by_side,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


@pytest.fixture
def lost(app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient) -> UUID:
    """A delivery that the sandbox has accepted and the fleet has no answer to."""
    delivery_id = email(app, client)
    sandbox.fault("drop_after")
    assert pipeline.send() == 1
    assert len(sandbox.messages()) == 1
    return delivery_id


def outcomes(pipeline: Pipeline, delivery_id: UUID) -> list[str | None]:
    return [attempt.outcome for attempt in pipeline.attempts(delivery_id)]


def test_a_lost_answer_leaves_the_attempt_open(pipeline: Pipeline, clock: Clock, lost: UUID) -> None:
    (attempt,) = pipeline.attempts(lost)
    assert (attempt.outcome, attempt.closed_at, attempt.evidence) == (None, None, None)
    assert attempt.code is not None
    row = pipeline.queued(lost)
    assert row is not None
    assert (row.due_at - clock.now).total_seconds() == UNKNOWN_WAIT
    assert row.lease_until is None
    assert pipeline.delivery(lost).status == "PENDING"


def test_it_is_not_sent_again_before_the_wait_is_over_and_is_after_it(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    clock.forward(UNKNOWN_WAIT - 1)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1

    clock.forward(1)
    assert pipeline.send() == 1
    assert outcomes(pipeline, lost) == ["NO_EVIDENCE", "ACCEPTED"]
    assert pipeline.attempts(lost)[0].evidence == "NONE"
    assert len(sandbox.messages()) == 2
    assert pipeline.delivery(lost).provider_message_id == sandbox.messages()[1].id


def test_by_hand_it_is_not_sent_before_the_wait_is_over_either(
    pipeline: Pipeline, sandbox: SandboxClient, lost: UUID
) -> None:
    settlement = pipeline.drain().one(lost)
    assert settlement is not None
    assert settlement.state == "WAITING"
    assert outcomes(pipeline, lost) == [None]
    assert len(sandbox.messages()) == 1


def test_a_callback_proves_it_and_nothing_is_sent_again(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    (message,) = sandbox.messages()
    pipeline.write_back(pipeline.attempts(lost)[0].token, message.id)
    clock.forward(60)
    assert pipeline.evidence().run(never) == 1
    delivery = pipeline.delivery(lost)
    assert (delivery.status, delivery.provider) == ("SENT", "sendgrid")
    assert (delivery.provider_message_id, delivery.sent_at) == (message.id, clock.now)
    (attempt,) = pipeline.attempts(lost)
    assert (attempt.outcome, attempt.evidence) == ("ACCEPTED", "CALLBACK")
    assert pipeline.queued(lost) is None
    assert pipeline.rows("select handled_as from fleet.inbox") == [("EVIDENCE",)]

    clock.forward(UNKNOWN_WAIT)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1


def test_a_callback_that_comes_after_all_hope_still_counts(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    (message,) = sandbox.messages()
    clock.forward(UNKNOWN_WAIT)
    sandbox.fault("status", status=503)
    pipeline.send()
    pipeline.write_back(pipeline.attempts(lost)[0].token, message.id)
    pipeline.evidence().run(never)
    assert outcomes(pipeline, lost) == ["ACCEPTED", "DEFERRED"]
    assert pipeline.delivery(lost).status == "SENT"
    clock.forward(UNKNOWN_WAIT)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1


def test_it_is_not_sent_again_for_ever(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    sandbox.fault("drop_after", count=10)
    for _ in range(10):
        clock.forward(UNKNOWN_WAIT)
        pipeline.send()
    assert outcomes(pipeline, lost) == ["NO_EVIDENCE"] * 4
    assert len(sandbox.messages()) == 4
    delivery = pipeline.delivery(lost)
    assert delivery.status == "FAILED"
    assert (delivery.provider_response or {})["code"] == "no_evidence"
    assert pipeline.queued(lost) is None

    # The proof that had been missing comes after all.
    last = sandbox.messages()[-1]
    pipeline.write_back(pipeline.attempts(lost)[-1].token, last.id)
    pipeline.evidence().run(never)
    delivery = pipeline.delivery(lost)
    assert (delivery.status, delivery.failed_at, delivery.provider_message_id) == ("SENT", None, last.id)


def test_a_callback_of_a_settled_attempt_adds_a_receipt_and_changes_nothing(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    delivery_id = email(app, client)
    pipeline.send()
    before = pipeline.delivery(delivery_id)
    clock.forward(60)
    pipeline.write_back(pipeline.attempts(delivery_id)[0].token, "another-id")
    pipeline.evidence().run(never)
    after = pipeline.delivery(delivery_id)
    assert (after.provider_message_id, after.sent_at) == (before.provider_message_id, before.sent_at)
    assert pipeline.rows("select handled_as from fleet.inbox") == [("RECEIPT",)]


def test_a_callback_that_is_quicker_than_the_answer_settles_it(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    stalled = Stalled(pipeline.carrier)
    drain = pipeline.drain(stalled)
    with side_by_side(lambda: drain.run(never)):
        assert stalled.answered.wait(10)
        pipeline.write_back(pipeline.attempts(delivery_id)[0].token, sandbox.messages()[0].id)
        pipeline.evidence().run(never)
        assert pipeline.delivery(delivery_id).status == "SENT"
        stalled.thawed.set()
    (attempt,) = pipeline.attempts(delivery_id)
    assert (attempt.outcome, attempt.evidence) == ("ACCEPTED", "CALLBACK")
    assert pipeline.delivery(delivery_id).provider_message_id == sandbox.messages()[0].id
    assert pipeline.queued(delivery_id) is None


def test_a_late_acceptance_of_a_stalled_worker_is_evidence(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    stalled = Stalled(pipeline.carrier)
    drain = pipeline.drain(stalled)
    with side_by_side(lambda: drain.run(never)):
        assert stalled.answered.wait(10)
        clock.forward(LEASE + UNKNOWN_WAIT)
        sandbox.fault("status", status=503)
        assert pipeline.send() == 1
        assert outcomes(pipeline, delivery_id) == ["NO_EVIDENCE", "DEFERRED"]
        stalled.thawed.set()
    assert outcomes(pipeline, delivery_id) == ["ACCEPTED", "DEFERRED"]
    assert pipeline.delivery(delivery_id).status == "SENT"
    clock.forward(UNKNOWN_WAIT)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize("status", [400, 503])
def test_a_late_refusal_of_a_stalled_worker_has_no_say(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, status: int
) -> None:
    delivery_id = email(app, client)
    sandbox.fault("status", status=status)
    stalled = Stalled(pipeline.carrier)
    drain = pipeline.drain(stalled)
    with side_by_side(lambda: drain.run(never)):
        assert stalled.answered.wait(10)
        clock.forward(LEASE + UNKNOWN_WAIT)
        sandbox.fault("status", status=500)
        assert pipeline.send() == 1
        stalled.thawed.set()
    assert outcomes(pipeline, delivery_id) == ["NO_EVIDENCE", "DEFERRED"]
    assert pipeline.delivery(delivery_id).status == "PENDING"
    row = pipeline.queued(delivery_id)
    assert row is not None
    assert (row.tries, row.last_code) == (1, "http_500")
    clock.forward(UNKNOWN_WAIT)
    pipeline.send()
    assert pipeline.delivery(delivery_id).status == "SENT"


def test_a_stalled_worker_does_not_unlock_what_another_holds(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    sandbox.fault("status", status=503)
    first, second = Stalled(pipeline.carrier), Stalled(pipeline.carrier)
    slow, quick = pipeline.drain(first), pipeline.drain(second)
    with ExitStack() as other:
        with side_by_side(lambda: slow.run(never)):
            assert first.answered.wait(10)
            clock.forward(LEASE + UNKNOWN_WAIT)
            other.enter_context(side_by_side(lambda: quick.run(never)))
            assert second.answered.wait(10)
            first.thawed.set()
        row = pipeline.queued(delivery_id)
        assert row is not None
        assert row.lease_until == clock.now + timedelta(seconds=LEASE)
        second.thawed.set()
    assert pipeline.delivery(delivery_id).status == "SENT"
    assert len(sandbox.messages()) == 1


def test_a_lease_that_ended_without_a_trace_is_claimed_again(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock
) -> None:
    delivery_id = email(app, client)
    pipeline.change(
        "update fleet.dispatch set lease_until = cast(:now as timestamptz) + interval '10 s'", now=clock.now
    )
    assert pipeline.send() == 0
    clock.forward(11)
    assert pipeline.send() == 1
    assert pipeline.delivery(delivery_id).status == "SENT"


def test_a_worker_that_died_under_a_send_leaves_an_attempt_that_waits(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    pipeline.drain()._lease(1)  # and then it was killed
    clock.forward(LEASE + 1)
    assert pipeline.send() == 1
    assert sandbox.messages() == []
    assert outcomes(pipeline, delivery_id) == [None]
    clock.forward(UNKNOWN_WAIT)
    pipeline.send()
    assert outcomes(pipeline, delivery_id) == ["NO_EVIDENCE", "ACCEPTED"]
    assert len(sandbox.messages()) == 1


def test_a_callback_that_is_stored_and_not_worked_off_holds_back_another_send(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID
) -> None:
    (message,) = sandbox.messages()
    pipeline.write_back(pipeline.attempts(lost)[0].token, message.id)
    clock.forward(UNKNOWN_WAIT)
    pipeline.send()
    assert outcomes(pipeline, lost) == [None]
    pipeline.evidence().run(never)
    clock.forward(UNKNOWN_WAIT)
    pipeline.send()
    assert outcomes(pipeline, lost) == ["ACCEPTED"]
    assert len(sandbox.messages()) == 1


def test_after_an_outage_the_list_is_searched_before_another_send(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    pipeline.drain()._lease(1)  # and then it was killed, and nobody came for long
    clock.forward(LEASE + 10 * UNKNOWN_WAIT)
    searchable = replace(pipeline.drain(), lookup_after=timedelta(minutes=10))
    searchable.run(never)
    assert outcomes(pipeline, delivery_id) == [None]
    assert pipeline.rows("select kind, tries from fleet.lookups") == [("SEARCH", 0)]
    pipeline.change("update fleet.lookups set tries = 1")
    clock.forward(60)
    searchable.run(never)
    assert outcomes(pipeline, delivery_id) == ["NO_EVIDENCE", "ACCEPTED"]
    assert len(sandbox.messages()) == 1


def test_what_the_application_takes_back_under_a_send_keeps_its_word(
    app: Application, client: Client, pipeline: Pipeline
) -> None:
    deleted, cancelled = email(app, client), email(app, client)
    stalled = Stalled(pipeline.carrier)
    drain = pipeline.drain(stalled)
    with side_by_side(lambda: drain.run(never)):
        assert stalled.answered.wait(10)
        pipeline.change("delete from notification_deliveries where id = :id", id=deleted)
        pipeline.change("update notification_deliveries set status = 'FAILED' where id = :id", id=cancelled)
        stalled.thawed.set()
    assert pipeline.delivery(cancelled).status == "FAILED"
    assert outcomes(pipeline, deleted) == outcomes(pipeline, cancelled) == ["ACCEPTED"]
    assert pipeline.rows("select from fleet.dispatch") == []


@pytest.fixture
def poison(owner_url: str) -> Iterator[UUID]:
    """A token whose callback the database refuses to mark as handled."""
    token = uuid4()
    execute(
        owner_url,
        f"""
        create function public.refuse() returns trigger language plpgsql as $$
        begin
          if new.body ->> 'attempt' = '{token}' and new.handled_at is not null then
            raise exception 'refused %', new.body;
          end if;
          return new;
        end $$
        """,
        "create trigger refuse before update on fleet.inbox for each row execute function public.refuse()",
    )
    yield token
    execute(owner_url, "drop function public.refuse cascade")


def test_a_callback_that_cannot_be_worked_off_is_parked_and_holds_up_no_other(
    pipeline: Pipeline, clock: Clock, sandbox: SandboxClient, lost: UUID, poison: UUID
) -> None:
    (message,) = sandbox.messages()
    token = pipeline.attempts(lost)[0].token
    pipeline.write_back(poison, message.id, "callback-1")
    pipeline.write_back(token, message.id, "callback-2")
    for _ in range(6):
        pipeline.evidence().run(never)
        clock.forward(3600)
    assert pipeline.delivery(lost).status == "SENT"
    rows = pipeline.rows(
        "select body ->> 'attempt', handled_as, tries, parked_at is not null, last_error"
        " from fleet.inbox order by handled_as"
    )
    assert [tuple(row) for row in rows] == [
        (str(token), "EVIDENCE", 0, False, None),
        (str(poison), None, 4, True, "ProgrammingError"),
    ]
