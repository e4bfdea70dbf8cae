"""One trace from an event's commit to its receipts, with ids and nothing of whom."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services import witness
from services.notifications.fanout import FanOut
from services.witness import Moment
from tests.collector import Collector, collecting
from tests.notifications.life import World
from tests.notifications.office import Answer
from tests.notifications.pipeline import JITTER, POLICY, RENDERER, UNKNOWN_WAIT, email, never
from tests.notifications.test_notices import notice
from workers.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client

ERROR = 2
WORDS = "Rappelez-moi avant midi"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def tracing(collector: Collector) -> Iterator[Tracing]:
    yield from watching(collector.url)


@pytest.fixture
def told() -> Iterator[list[Moment]]:
    moments: list[Moment] = []
    witness.watch(moments.extend)
    yield moments
    witness.unwatch()


def watching(url: str) -> Iterator[Tracing]:
    tracing = Tracing(url, "worker", "0.1.0", "test")
    witness.watch(tracing)
    yield tracing
    witness.unwatch()
    tracing.stop()


def attributes(span: Span) -> dict[str, Any]:
    return {
        each.key.removeprefix("fleet."): each.value.string_value or each.value.int_value
        for each in span.attributes
    }


def one_trace(spans: Sequence[Span]) -> UUID:
    (trace_id,) = {span.trace_id for span in spans}
    return UUID(bytes=trace_id)


def follows(span: Span, parent: Span) -> bool:
    return span.parent_span_id == parent.span_id and span.start_time_unix_nano >= parent.end_time_unix_nano


def tell_the_message(app: Application, client: Client, pipeline: Pipeline, clock: Clock) -> UUID:
    """An advisor's message, told by e-mail; the delivery's id comes back."""
    app.write_message(client, WORDS)
    clock.forward(5)  # ahead of the database's own clock, by which the event was written
    assert pipeline.fan_out().run(never) == 1
    clock.forward(1)
    assert pipeline.send() == 1
    (row,) = pipeline.rows("select id from notification_deliveries where channel = 'EMAIL'")
    delivery_id: UUID = row.id
    return delivery_id


def hear(pipeline: Pipeline, clock: Clock, delivery_id: UUID, word: str = "delivered") -> None:
    """What SendGrid says of the newest attempt, a moment later."""
    clock.forward(2)
    attempt = pipeline.attempts(delivery_id)[-1]
    pipeline.change(
        "insert into fleet.inbox (provider, callback_id, received_at, body) values ('sendgrid', :id, :now,"
        " jsonb_build_object('event', cast(:word as text), 'attempt', cast(:token as text), 'sg_message_id',"
        " 'm1.recvd', 'email', 'camille@example.com', 'reason', '550 camille@example.com is unknown'))",
        id=f"{word}-1",
        now=clock.now,
        word=word,
        token=str(attempt.token),
    )
    assert pipeline.evidence().run(never) == 1


def test_a_message_is_followed_from_its_commit_to_its_receipt(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, collector: Collector, tracing: Tracing
) -> None:
    delivery_id = tell_the_message(app, paid, pipeline, clock)
    hear(pipeline, clock, delivery_id)
    hear(pipeline, clock, delivery_id, "open")
    tracing.stop()

    event, send, delivered, opened = collector.spans()
    (row,) = pipeline.rows("select id, created_at from events order by created_at desc limit 1")
    (attempt,) = pipeline.attempts(delivery_id)
    assert one_trace(collector.spans()) == row.id
    assert [span.name for span in (event, send, delivered, opened)] == ["event", "send", "receipt", "receipt"]
    assert not event.parent_span_id
    assert event.start_time_unix_nano == int(row.created_at.timestamp() * 1_000_000) * 1000
    assert follows(send, event)
    assert follows(delivered, send)
    assert follows(opened, send)
    assert len({span.span_id for span in (event, send, delivered, opened)}) == 4
    assert (delivered.end_time_unix_nano - delivered.start_time_unix_nano) / 1e9 == 2
    assert all(span.status.code != ERROR for span in collector.spans())
    assert attributes(event) == {
        "event_id": str(row.id),
        "event_type": "MESSAGE_SENT",
        "outcome": "NOTIFIED",
    }
    (notification_id,) = pipeline.rows("select id from notifications where event_id = :id", id=row.id)[0]
    whose = {
        "event_id": str(row.id),
        "notification_id": str(notification_id),
        "delivery_id": str(delivery_id),
        "channel": "EMAIL",
        "attempt": str(attempt.token),
        "attempt_number": 1,
        "provider": "sendgrid",
    }
    assert attributes(send) == whose | {"state": "SENT", "outcome": "ACCEPTED"}
    assert attributes(delivered) == whose | {"state": "DELIVERED", "evidence": "ANSWER"}
    assert attributes(opened)["state"] == "OPENED"


def test_nothing_of_whom_leaves_with_a_trace(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, collector: Collector, tracing: Tracing
) -> None:
    delivery_id = tell_the_message(app, paid, pipeline, clock)
    hear(pipeline, clock, delivery_id, "bounce")
    tracing.stop()
    bounced = collector.spans()[-1]
    assert (attributes(bounced)["state"], bounced.status.code) == ("BOUNCED", ERROR)
    assert b"EMAIL" in collector.raw
    for secret in (b"camille", b"Camille", b"Exemple", b"example.com", b"Rappelez", b"550 ", b"m1"):
        assert secret not in collector.raw


def test_every_process_makes_the_same_ids(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, collector: Collector, tracing: Tracing
) -> None:
    delivery_id = tell_the_message(app, paid, pipeline, clock)
    pipeline.change("update fleet.attempts set closed_at = null, outcome = null, evidence = null")
    hear(pipeline, clock, delivery_id)
    tracing.stop()
    span = collector.spans()[-1]
    assert attributes(span)["evidence"] == "CALLBACK"
    again = Tracing(collector.url, "another", "0.2.0", "test")
    send = f"send {attributes(span)['attempt']}"
    again([Moment("again", UUID(bytes=span.trace_id), send, None, clock.now, clock.now)])
    again.stop()
    same = [each.name for each in collector.spans() if each.span_id == span.parent_span_id]
    assert same == ["send", "again"]


@pytest.fixture
def world(app: Application, sessions: sessionmaker[Session], application: sessionmaker[Session]) -> World:
    client = app.pay(app.register("camille@example.com", "Camille Exemple"))
    return World(sessions, application, client, hold=False)


@pytest.fixture
def told_of(app: Application, world: World) -> UUID:
    """An event of which the application tells by e-mail and WhatsApp; its id comes back."""
    with world.application.begin() as session:
        session.execute(text("delete from fleet.outbox"))
    event_id = app.write_message(world.client, WORDS)
    notification_id = app.notify(world.client, "Rendez-vous", WORDS, event_id=event_id)
    app.deliver(notification_id, "EMAIL", world.client.email)
    app.deliver(notification_id, "WHATSAPP", "+33639980001")
    return event_id


def fan_out(world: World) -> None:
    fan_out = FanOut(world.sessions, RENDERER, "fr", frozenset(), POLICY, world.clock, lambda: JITTER, "FR")
    assert fan_out.run(never) == 1


def test_tries_again_unknown_outcomes_and_fallbacks_show(
    world: World, collector: Collector, tracing: Tracing, told_of: UUID
) -> None:
    fan_out(world)
    world.clock.forward(1)
    for answer in (Answer.TRANSIENT, Answer.TAKEN_UNHEARD, Answer.TAKEN):
        world.office.answer = answer
        world.drains["EMAIL"].run(never)
        world.clock.forward(UNKNOWN_WAIT + 1)
    world.office.answer = Answer.UNDELIVERABLE
    world.drains["WHATSAPP"].run(never)
    world.office.answer = Answer.TAKEN
    world.clock.forward(1)
    world.drains["SMS"].run(never)
    world.all_is_well()
    tracing.stop()

    spans = collector.spans()
    assert one_trace(spans) == told_of
    (root,) = [span for span in spans if not span.parent_span_id]
    assert (root.name, attributes(root)["outcome"]) == ("event", "APPLICATION")
    sends = [span for span in spans if span.name == "send"]
    assert all(follows(span, root) for span in sends)
    assert [
        (attributes(span)["channel"], attributes(span)["attempt_number"], attributes(span)["outcome"])
        for span in sends
    ] == [
        ("EMAIL", 1, "DEFERRED"),
        ("EMAIL", 2, "UNKNOWN"),
        ("EMAIL", 3, "ACCEPTED"),
        ("WHATSAPP", 1, "REFUSED"),
        ("SMS", 1, "ACCEPTED"),
    ]
    assert [span.status.code == ERROR for span in sends] == [True, True, False, True, False]
    assert attributes(sends[0])["code"] == "http_503"
    assert "due_at" in attributes(sends[0])
    (gave_way,) = [span for span in spans if span.name == "fallback"]
    assert gave_way.parent_span_id == root.span_id
    assert attributes(gave_way)["to_delivery_id"] == attributes(sends[4])["delivery_id"]
    assert (attributes(gave_way)["channel"], attributes(gave_way)["to_channel"]) == ("WHATSAPP", "SMS")
    receipts = [span for span in spans if span.name == "receipt"]
    assert all(any(follows(span, send) for send in sends) for span in receipts)
    # What was unknown was taken after all: its receipt says by what that was learnt.
    late = [span for span in receipts if span.parent_span_id == sends[1].span_id]
    assert {attributes(span)["evidence"] for span in late} == {"CALLBACK"}
    assert b"camille" not in collector.raw
    assert b"39980001" not in collector.raw


def test_a_notice_and_a_notification_of_the_application_have_traces_of_their_own(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, told: list[Moment]
) -> None:
    notice_id = notice(pipeline, paid)
    email(app, paid)
    clock.forward(5)
    assert pipeline.notices().run(never) == 1
    assert pipeline.send() == 2
    (first, *sends) = told
    assert (first.name, first.about["notice_id"]) == ("notice", notice_id)
    assert first.trace == first.about["notification_id"]
    by_trace = {moment.trace: moment.parent for moment in sends}
    assert by_trace.pop(first.trace) == first.id
    assert list(by_trace.values()) == [None]


def test_what_is_not_sent_says_why(
    app: Application, paid: Client, pipeline: Pipeline, told: list[Moment]
) -> None:
    notification_id = app.notify(paid, "Bonjour", WORDS)
    for _ in range(2):
        app.deliver(notification_id, "EMAIL", paid.email)
    assert pipeline.send() == 2
    assert sorted((moment.name, moment.about["code"]) for moment in told) == [
        ("not sent", "duplicate_delivery"),
        ("send", None),
    ]


def test_what_a_transaction_takes_back_is_not_told(
    app: Application, paid: Client, pipeline: Pipeline, told: list[Moment]
) -> None:
    app.write_message(paid, WORDS)
    pipeline.change("alter table fleet.fanouts add constraint none check (false) not valid")
    try:
        assert pipeline.fan_out().run(never) == 1
    finally:
        pipeline.change("alter table fleet.fanouts drop constraint none")
    assert pipeline.scalar("select last_error from fleet.outbox") == "IntegrityError"
    assert told == []


def test_a_witness_that_fails_takes_nothing_with_it(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(moments: object) -> None:
        raise ValueError(f"{WORDS}: {moments}")

    witness.watch(fail)
    try:
        delivery_id = tell_the_message(app, paid, pipeline, clock)
        hear(pipeline, clock, delivery_id)
    finally:
        witness.unwatch()
    assert pipeline.statuses() == {"SENT": 2}
    assert "a trace has a hole: its telling failed with ValueError" in caplog.text
    assert WORDS not in caplog.text


def test_nobody_who_follows_costs_nothing(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock
) -> None:
    def dear() -> list[Moment]:
        raise AssertionError("nobody asked")

    with pipeline.sessions.begin() as session:
        witness.tell(session, dear)
        assert not session.info
    delivery_id = tell_the_message(app, paid, pipeline, clock)
    hear(pipeline, clock, delivery_id)
    assert not witness.present()


@pytest.mark.parametrize("trouble", ["away", "silent", "refusing"])
def test_the_work_goes_on_whatever_the_collector_does(
    app: Application,
    paid: Client,
    pipeline: Pipeline,
    clock: Clock,
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    collector.status = 400
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if trouble == "silent":
            silent.listen()  # takes the connection, and never answers
        url = collector.url if trouble == "refusing" else f"http://127.0.0.1:{silent.getsockname()[1]}"
        following = watching(url)
        tracing = next(following)
        began = time.monotonic()
        delivery_id = tell_the_message(app, paid, pipeline, clock)
        hear(pipeline, clock, delivery_id)
        worked = time.monotonic() - began
        with caplog.at_level(logging.INFO):
            tracing.stop()
        assert next(following, None) is None
    assert pipeline.statuses() == {"SENT": 2}
    assert pipeline.attempts(delivery_id)[0].outcome == "ACCEPTED"
    assert worked < 3
    assert time.monotonic() - began < 15
    assert "the collector has not taken 3 spans" in caplog.text
    assert "127.0.0.1" not in caplog.text
