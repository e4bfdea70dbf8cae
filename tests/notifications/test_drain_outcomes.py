"""What a send comes to: accepted, refused, tried again, parked, or not sent at all, and why."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.contextvars import get_contextvars

from tests.notifications.pipeline import JITTER, POLICY, email, never

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Clock, Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.sandbox.client import SandboxClient


def explanation(pipeline: Pipeline, delivery_id: UUID) -> dict[str, object]:
    delivery = pipeline.delivery(delivery_id)
    assert delivery.status == "FAILED"
    return dict(delivery.provider_response or {})


@contextmanager
def bound_to_lines() -> Iterator[list[dict[str, Any]]]:
    """What is bound while the drain logs its lines."""
    bound: list[dict[str, Any]] = []

    def note(_: logging.LogRecord) -> bool:
        bound.append(get_contextvars())
        return True

    log = logging.getLogger("services.notifications.delivery")
    log.addFilter(note)
    yield bound
    log.removeFilter(note)


def test_an_accepted_mail_is_sent_under_the_providers_id(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client)
    assert pipeline.send() == 1
    (message,) = sandbox.messages()
    delivery = pipeline.delivery(delivery_id)
    assert (delivery.status, delivery.provider) == ("SENT", "sendgrid")
    assert delivery.provider_message_id == message.id
    assert delivery.provider_response == {"status": 202}
    assert (delivery.sent_at, delivery.failed_at) == (clock.now, None)
    (attempt,) = pipeline.attempts(delivery_id)
    assert (attempt.number, attempt.outcome, attempt.evidence) == (1, "ACCEPTED", "ANSWER")
    assert (attempt.provider_message_id, attempt.closed_at) == (message.id, clock.now)
    assert message.custom_args == {"attempt": str(attempt.token)}
    assert pipeline.queued(delivery_id) is None


def test_the_applications_notification_goes_out_in_its_own_words(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    notification_id = app.notify(client, "Rendez-vous <demain>", "Apportez\nvos documents.")
    app.deliver(notification_id, "EMAIL", client.email)
    pipeline.send()
    (summary,) = sandbox.messages()
    message = sandbox.message(summary.id)
    assert (message.subject, message.recipient) == ("Rendez-vous <demain>", client.email)
    assert "Apportez\nvos documents." in message.text
    assert "<demain>" not in message.html
    assert "https://app.example.com/dashboard" in message.html
    assert message.categories == ["GENERIC"]


def test_the_fleets_notification_goes_out_in_its_templates_words(
    app: Application, paid: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    assert paid.dossier_id
    app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    pipeline.fan_out().run(never)
    pipeline.change("update profiles set full_name = 'Camille Nouveau'")
    pipeline.send()
    message = sandbox.message(sandbox.messages()[0].id)
    assert message.categories == ["WELCOME"]
    assert "Camille Nouveau" in message.text
    assert "LLC Formation" in message.html
    assert f"https://app.example.com/dossiers/{paid.dossier_id}" in message.html


def test_a_bad_address_fails_at_once(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    delivery_id = email(app, client, "camille chez exemple")
    assert pipeline.send() == 1
    said = explanation(pipeline, delivery_id)
    assert said["code"] == "http_400"
    assert "valid address" in str(said["error"])
    assert "camille" not in str(said)
    assert pipeline.delivery(delivery_id).failed_at == clock.now
    (attempt,) = pipeline.attempts(delivery_id)
    assert (attempt.outcome, attempt.code) == ("REFUSED", "http_400")
    assert pipeline.queued(delivery_id) is None
    assert sandbox.messages() == []


def test_a_server_error_is_tried_again_with_growing_pauses_and_then_fails(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    sandbox.fault("status", status=503, count=9)
    delivery_id = email(app, client)
    for tries in range(1, POLICY.retries + 1):
        assert pipeline.send() == 1
        row = pipeline.queued(delivery_id)
        assert row is not None
        assert (row.tries, row.last_code, row.lease_until) == (tries, "http_503", None)
        assert row.due_at - clock.now == POLICY.backoff(tries, lambda: JITTER)
        assert pipeline.send() == 0, "it is not due yet"
        clock.forward((row.due_at - clock.now).total_seconds())
    assert pipeline.send() == 1
    assert explanation(pipeline, delivery_id)["code"] == "http_503"
    outcomes = [attempt.outcome for attempt in pipeline.attempts(delivery_id)]
    assert outcomes == ["DEFERRED"] * POLICY.retries + ["REFUSED"]
    assert pipeline.queued(delivery_id) is None


def test_a_server_error_that_passes_does_no_harm(
    app: Application, client: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    sandbox.fault("status", status=500)
    delivery_id = email(app, client)
    pipeline.send()
    clock.forward(POLICY.base_seconds)
    pipeline.send()
    assert pipeline.delivery(delivery_id).status == "SENT"
    assert len(sandbox.messages()) == 1


def test_what_cannot_be_worded_is_parked_and_nothing_is_sent(
    app: Application, paid: Client, pipeline: Pipeline, clock: Clock, sandbox: SandboxClient
) -> None:
    app.change_status(paid, "LLC_ACCEPTED")
    pipeline.fan_out().run(never)
    pipeline.change("update notifications set payload = '{}'")
    ((delivery_id,),) = pipeline.rows("select id from notification_deliveries where channel = 'EMAIL'")
    healthy = email(app, paid)
    with bound_to_lines() as bound:
        pipeline.send()
    row = pipeline.queued(delivery_id)
    assert row is not None
    assert (row.parked_at, row.last_code, row.tries) == (clock.now, "RenderError", 0)
    (attempt,) = pipeline.attempts(delivery_id)
    assert (attempt.outcome, attempt.code) == ("NOT_SENT", "RenderError")
    event_id = pipeline.scalar("select event_id from notifications where event_id is not null")
    about = {"event_id": event_id, "delivery_id": delivery_id, "attempt": attempt.token}
    assert bound == [{name: str(value) for name, value in about.items()}]
    assert pipeline.delivery(delivery_id).status == "PENDING"
    assert pipeline.delivery(healthy).status == "SENT"
    clock.forward(86_400)
    assert pipeline.send() == 0
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize("change", ["delete from {}", "update {} set status = 'FAILED'"])
def test_what_the_application_has_taken_back_is_not_sent(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient, change: str
) -> None:
    delivery_id = email(app, client)
    pipeline.change(change.format("notification_deliveries"))
    assert pipeline.send() == 1
    assert pipeline.queued(delivery_id) is None
    assert pipeline.attempts(delivery_id) == []
    assert sandbox.messages() == []
    assert pipeline.statuses().get("SENT") is None


def test_a_second_delivery_of_a_notification_on_a_channel_is_not_sent(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    first, second = (app.deliver(notification_id, "EMAIL", client.email) for _ in range(2))
    pipeline.send()
    assert pipeline.delivery(first).status == "SENT"
    assert explanation(pipeline, second) == {
        "code": "duplicate_delivery",
        "error": f"delivery {first} is this notification's on EMAIL",
    }
    assert len(sandbox.messages()) == 1


def test_a_second_notification_of_what_the_fleet_has_told_is_not_sent(
    app: Application, paid: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    assert paid.dossier_id
    event_id = app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    pipeline.fan_out().run(never)
    ((fleets,),) = pipeline.rows("select id from notifications")
    late = app.notify(paid, "Bienvenue", "Votre dossier est ouvert.", event_id=event_id)
    delivery_id = app.deliver(late, "EMAIL", paid.email)
    pipeline.send()
    assert explanation(pipeline, delivery_id) == {
        "code": "duplicate_notification",
        "error": f"notification {fleets} tells this person of the same event",
    }
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize("passes", [1, 2])
def test_of_two_notifications_of_one_event_the_first_alone_is_sent(
    app: Application, paid: Client, pipeline: Pipeline, sandbox: SandboxClient, passes: int
) -> None:
    assert paid.dossier_id
    event_id = app.event("DOSSIER_CREATED", "dossier", paid.dossier_id)
    notifications = [app.notify(paid, "Bienvenue", f"{n}", event_id=event_id) for n in range(2)]
    pipeline.change("update notifications set template_code = 'HELLO'")
    deliveries = []
    for notification_id in notifications:
        deliveries.append(app.deliver(notification_id, "EMAIL", paid.email))
        if passes > 1:
            pipeline.send()
    pipeline.send()
    assert len(sandbox.messages()) == 1
    assert pipeline.delivery(deliveries[0]).status == "SENT"
    why = explanation(pipeline, deliveries[1])
    assert why["code"] == "duplicate_notification"
    assert "None" not in str(why["error"]), "it must be legible to an operator"


def test_an_in_app_delivery_of_the_applications_is_its_own_receipt(
    app: Application, client: Client, pipeline: Pipeline
) -> None:
    notification_id = app.notify(client, "Rendez-vous", "Demain.")
    delivery_id = app.deliver(notification_id, "IN_APP", str(client.user_id))
    assert pipeline.in_app_drain().run(never) == 1
    delivery = pipeline.delivery(delivery_id)
    assert (delivery.status, delivery.provider) == ("SENT", "in_app")
    assert delivery.provider_message_id == str(notification_id)


def test_a_channel_that_nobody_sends_on_waits(
    app: Application, client: Client, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    delivery_id = app.deliver(app.notify(client, "Rendez-vous", "Demain."), "SMS", "+33639980001")
    assert pipeline.send() == 0
    assert pipeline.delivery(delivery_id).status == "PENDING"
    assert pipeline.queued(delivery_id) is not None
    assert sandbox.messages() == []
