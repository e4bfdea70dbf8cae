"""Each event once, whoever else tells of it; one that fails harms no other."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.notifications.pipeline import JITTER, POLICY, email, execute, never, side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client


def opened(app: Application, client: Client) -> UUID:
    assert client.dossier_id is not None
    return app.event("DOSSIER_CREATED", "dossier", client.dossier_id)


def outcome(pipeline: Pipeline, event_id: UUID) -> tuple[str, str | None]:
    ((what, why),) = pipeline.rows(
        "select outcome, reason from fleet.fanouts where event_id = :id", id=event_id
    )
    return what, why


def count(pipeline: Pipeline, table: str) -> int:
    number: int = pipeline.scalar(f"select count(*) from {table}")
    return number


@contextmanager
def refusing(owner_url: str, table: str, condition: str) -> Iterator[None]:
    """Let a table refuse some rows, as a constraint that the platform adds some day would."""
    execute(owner_url, f"alter table {table} add constraint newer_rule check (not ({condition})) not valid")
    try:
        yield
    finally:
        execute(owner_url, f"alter table {table} drop constraint newer_rule")


def test_an_unknown_event_type_is_passed_over_and_the_others_are_told(
    app: Application,
    paid: Client,
    pipeline: Pipeline,
    owner_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    execute(owner_url, "alter type event_type add value if not exists 'MOON_LANDED'")
    before = opened(app, paid)
    unknown = app.event("MOON_LANDED", "dossier", uuid4())
    after = opened(app, paid)
    with caplog.at_level(logging.WARNING):
        assert pipeline.fan_out().run(never) == 3
    assert outcome(pipeline, unknown) == ("PASSED_OVER", "unknown event type MOON_LANDED")
    assert [outcome(pipeline, event_id)[0] for event_id in (before, after)] == ["NOTIFIED", "NOTIFIED"]
    assert f"event {unknown} was passed over: unknown event type MOON_LANDED" in caplog.messages
    assert count(pipeline, "fleet.outbox") == 0


def test_an_event_without_a_person_is_passed_over(app: Application, pipeline: Pipeline) -> None:
    nobody = uuid4()
    event_id = app.event("DOSSIER_CREATED", "dossier", nobody)
    pipeline.fan_out().run(never)
    assert outcome(pipeline, event_id) == ("PASSED_OVER", f"no person belongs to dossier {nobody}")
    assert count(pipeline, "notifications") == 0


def test_a_person_without_an_address_is_told_in_the_app(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    pipeline.change("update auth.users set email = null")
    event_id = opened(app, paid)
    pipeline.fan_out().run(never)
    assert outcome(pipeline, event_id) == ("NOTIFIED", "no address for EMAIL")
    assert pipeline.rows("select channel::text, status::text from notification_deliveries") == [
        ("IN_APP", "SENT")
    ]


def test_an_event_that_has_vanished_leaves_the_outbox(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    opened(app, paid)
    pipeline.change("delete from events")
    assert pipeline.fan_out().run(never) == 1
    assert (count(pipeline, "fleet.outbox"), count(pipeline, "notifications")) == (0, 0)


def test_what_the_application_has_announced_is_left_to_it(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    event_id = opened(app, paid)
    own = app.notify(paid, "Bienvenue", "Votre dossier est ouvert.", event_id=event_id)
    app.deliver(own, "EMAIL", paid.email)
    pipeline.fan_out().run(never)
    what, why = outcome(pipeline, event_id)
    assert (what, why) == ("APPLICATION", f"the application has written notification {own}")
    assert (count(pipeline, "notifications"), count(pipeline, "notification_deliveries")) == (1, 1)


def test_types_that_the_application_announces_by_setting_are_left_to_it(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    its_own, ours = opened(app, paid), app.event("PAYMENT_RECEIVED", "order", paid.order_id)
    pipeline.fan_out("DOSSIER_CREATED", "MESSAGE_SENT").run(never)
    assert outcome(pipeline, its_own)[0] == "APPLICATION"
    assert outcome(pipeline, ours)[0] == "NOTIFIED"
    assert pipeline.rows("select template_code from notifications") == [("PAYMENT_RECEIVED",)]


def test_an_event_that_is_queued_again_is_told_once(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    event_id = opened(app, paid)
    pipeline.fan_out().run(never)
    pipeline.change("insert into fleet.outbox (event_id) values (:id)", id=event_id)
    assert pipeline.fan_out().run(never) == 1
    assert outcome(pipeline, event_id) == ("NOTIFIED", None)
    assert (count(pipeline, "notifications"), count(pipeline, "notification_deliveries")) == (1, 2)
    assert count(pipeline, "fleet.outbox") == 0


def test_two_workers_share_two_hundred_events(app: Application, paid: Client, pipeline: Pipeline) -> None:
    for _ in range(200):
        opened(app, paid)
    start = Barrier(2)
    shares: list[int] = []

    def work() -> None:
        start.wait(10)
        shares.append(pipeline.fan_out().run(never))

    with side_by_side(work, work):
        pass
    assert sum(shares) == 200
    assert count(pipeline, "fleet.outbox") == 0
    assert pipeline.rows("select count(*), count(distinct event_id) from notifications") == [(200, 200)]
    assert pipeline.rows(
        "select channel::text, count(*), count(distinct notification_id) from notification_deliveries"
        " group by 1 order by 1"
    ) == [("EMAIL", 200, 200), ("IN_APP", 200, 200)]


def test_a_poisoned_event_is_tried_again_and_then_parked_and_blocks_nobody(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock
) -> None:
    assert paid.dossier_id
    healthy = [opened(app, paid), opened(app, paid)]
    without_words: dict[str, object] = {"new_status": " "}
    poison = app.event("DOSSIER_STATUS_CHANGED", "dossier", paid.dossier_id, without_words)
    healthy.append(opened(app, paid))

    pipeline.fan_out().run(never)
    assert [outcome(pipeline, event_id)[0] for event_id in healthy] == ["NOTIFIED"] * 3
    for tries in range(1, POLICY.retries + 1):
        (row,) = pipeline.rows("select * from fleet.outbox")
        assert (row.event_id, row.tries, row.last_error) == (poison, tries, "RenderError")
        assert row.parked_at is None
        seconds = (row.due_at - clock.now).total_seconds()
        assert seconds == pytest.approx(POLICY.backoff(tries, lambda: JITTER).total_seconds())
        clock.forward(seconds + 1)
        pipeline.fan_out().run(never)
    (row,) = pipeline.rows("select * from fleet.outbox")
    assert (row.tries, row.parked_at) == (1 + POLICY.retries, clock.now)

    clock.forward(86_400)
    last = opened(app, paid)
    assert pipeline.fan_out().run(never) == 1
    assert outcome(pipeline, last)[0] == "NOTIFIED"


def test_a_failure_halfway_leaves_nothing_half_written(
    app: Application, paid: Client, pipeline: Pipeline, owner_url: str
) -> None:
    healthy = app.pay(app.register("andrea@example.com", "Andrea Sample"))
    pipeline.change("delete from fleet.outbox")
    poisoned, told = opened(app, paid), opened(app, healthy)
    with refusing(owner_url, "notification_deliveries", f"recipient = '{paid.email}'"):
        pipeline.fan_out().run(never)
    written = pipeline.rows("select event_id from notifications")
    placed = pipeline.rows("select event_id from fleet.announcements")
    assert written == placed == pipeline.rows("select event_id from fleet.fanouts") == [(told,)]
    assert pipeline.scalar("select count(*) from notification_deliveries") == 2
    assert pipeline.rows("select event_id, tries from fleet.outbox") == [(poisoned, 1)]


def test_a_database_error_is_recorded_without_what_it_quotes(
    app: Application, paid: Client, pipeline: Pipeline, owner_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened(app, paid)
    with refusing(owner_url, "notification_deliveries", f"recipient = '{paid.email}'"):
        pipeline.fan_out().run(never)
    assert pipeline.rows("select last_error from fleet.outbox") == [("IntegrityError",)]
    assert paid.email not in caplog.text


def test_an_event_whose_payload_is_no_object_is_told_like_any_other(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    event_id = opened(app, paid)
    pipeline.change("update events set payload = 'null'")
    pipeline.fan_out().run(never)
    assert outcome(pipeline, event_id) == ("NOTIFIED", None)


def test_the_fleets_own_mail_follows_from_the_event(
    app: Application, paid: Client, pipeline: Pipeline
) -> None:
    opened(app, paid)
    pipeline.fan_out().run(never)
    unrelated = email(app, paid)
    assert pipeline.send() == 2
    assert pipeline.statuses() == {"SENT": 3}
    assert pipeline.delivery(unrelated).provider == "sendgrid"
