"""What ``/metrics`` tells: read back as Prometheus reads it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from schedules.timetable import timetable
from tests.notifications.pipeline import email
from workers import metrics
from workers.kept import Kept
from workers.metrics import DatabaseMetrics, IngressMetrics, exposition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from tests.notifications.pipeline import Clock
    from workers.dev.application import Application, Client

Series = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def _emptied(application: sessionmaker[Session]) -> Iterator[None]:
    yield
    for table in ("fleet.fallbacks", "fleet.unseen_codes"):
        change(application, f"delete from {table}")


def change(sessions: sessionmaker[Session], statement: str, **values: object) -> None:
    with sessions.begin() as session:
        session.execute(text(statement), values)


def told(sessions: sessionmaker[Session], clock: Clock) -> dict[str, Series]:
    """All series, by metric and the values of its labels in the order of the labels' names."""
    registry = CollectorRegistry()
    registry.register(DatabaseMetrics(sessions, clock, timetable(), 0.25))
    body, _ = exposition(registry, "")
    found: dict[str, Series] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def attempt(
    sessions: sessionmaker[Session], delivery_id: UUID, channel: str, number: int, **more: object
) -> None:
    values = {"outcome": None, "code": None, "opened": None, "message_id": None} | more
    change(
        sessions,
        "insert into fleet.attempts (delivery_id, number, channel, provider, opened_at, closed_at, outcome,"
        " code, provider_message_id) values (:id, :number, :channel, 'made-up', :opened,"
        " case when cast(:outcome as text) is not null then now() end, :outcome, :code, :message_id)",
        id=delivery_id,
        channel=channel,
        number=number,
        **values,
    )


def test_a_quiet_day(sessions: sessionmaker[Session], clock: Clock) -> None:
    quiet = told(sessions, clock)
    assert quiet["fleet_database_up"] == {(): 1}
    for name in ("oldest_due_seconds", "due", "leased", "waiting", "unknown", "parked"):
        assert set(quiet[f"fleet_queue_{name}"].values()) == {0}
    assert "fleet_channel_paused" not in quiet
    assert quiet["fleet_payments_polled_share"] == {(): 0}


def test_queues_and_pauses(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    for _ in range(3):
        email(app, client)
    change(sessions, "update fleet.dispatch set due_at = :at", at=clock.now - timedelta(seconds=90))
    for channel, seconds in (("SMS", 60), ("EMAIL", -60)):
        change(
            sessions,
            "insert into fleet.channels (channel, kind, code, detail, paused_until)"
            " values (:channel, 'FAILING', 'http_503', '', :until)",
            channel=channel,
            until=clock.now + timedelta(seconds=seconds),
        )
    found = told(sessions, clock)
    assert found["fleet_queue_due"]["email",] == 3
    assert found["fleet_queue_oldest_due_seconds"]["email",] == 90
    assert found["fleet_channel_paused"] == {("SMS", "http_503", "FAILING"): 1}


def test_attempts_receipts_and_lookups(
    sessions: sessionmaker[Session], clock: Clock, app: Application, client: Client
) -> None:
    minutes = {n: clock.now - timedelta(minutes=n) for n in (1, 59, 61, 23 * 60, 25 * 60)}
    for n, at in enumerate(minutes.values(), start=1):
        accepted = {"outcome": "ACCEPTED", "message_id": f"m{n}"}
        attempt(sessions, email(app, client), "SMS", n, opened=at, **accepted)
    attempt(sessions, email(app, client), "EMAIL", 1, opened=minutes[1])
    attempt(sessions, email(app, client), "EMAIL", 1, opened=minutes[1], outcome="REFUSED", code="21211")
    change(
        sessions,
        "insert into fleet.receipts (token, delivery_id, state, delivered_at)"
        " select token, delivery_id, 'DELIVERED', now() from fleet.attempts where number in (2, 3, 5)",
    )
    change(
        sessions,
        "insert into fleet.lookups (token, kind, due_at)"
        " select token, case when closed_at is null then 'SEARCH' else 'STATUS' end, now()"
        " from fleet.attempts",
    )
    found = told(sessions, clock)
    assert found["fleet_attempts_last_hour"] == {
        ("SMS", "", "ACCEPTED"): 2,
        ("EMAIL", "", "OPEN"): 1,
        ("EMAIL", "21211", "REFUSED"): 1,
    }
    assert found["fleet_receipts_last_day"] == {("SMS", "DELIVERED"): 2, ("SMS", "NONE"): 2}
    assert found["fleet_lookups_open"] == {("SEARCH",): 1, ("STATUS",): 6}


def test_fallbacks_and_unseen_codes(sessions: sessionmaker[Session], clock: Clock) -> None:
    for hours in (1, 2, 25):
        change(
            sessions,
            "insert into fleet.fallbacks"
            " (notification_id, from_channel, to_channel, user_id, reason, decided_at)"
            " values (gen_random_uuid(), 'WHATSAPP', 'SMS', gen_random_uuid(), 'REFUSED', :at)",
            at=clock.now - timedelta(hours=hours),
        )
    change(
        sessions,
        "insert into fleet.unseen_codes (provider, code, taken_as, seen)"
        " values ('twilio', '99999', 'Rejected', 7)",
    )
    found = told(sessions, clock)
    assert found["fleet_fallbacks_last_day"] == {("WHATSAPP", "REFUSED", "SMS"): 2}
    assert found["fleet_unseen_codes_total"] == {("99999", "twilio", "Rejected"): 7}


def test_findings_and_how_payments_were_learned_of(sessions: sessionmaker[Session], clock: Clock) -> None:
    for number, resolved_by in enumerate((None, None, "dominique")):
        change(
            sessions,
            "insert into fleet.findings (kind, subject, done, found_at, seen_at, resolved_at, resolved_by)"
            " values ('DISPUTE', :subject, 'told', :at, :at,"
            " case when cast(:by as text) is not null then now() end, :by)",
            subject=f"du_{number}",
            at=clock.now,
            by=resolved_by,
        )
    learned = {"WEBHOOK": 4, "POLL": 2, "CHECK": 1, "HAND": 1}
    for way, count in learned.items():
        for hours in (1, 25):
            change(
                sessions,
                "insert into fleet.settlements (order_id, amount, currency, learned, settled_at)"
                " select gen_random_uuid(), 12000, 'EUR', :way, :at from generate_series(1, :count)",
                way=way,
                count=count,
                at=clock.now - timedelta(hours=hours),
            )
    found = told(sessions, clock)
    assert found["fleet_findings_open"] == {("DISPUTE",): 2}
    assert found["fleet_payments_settled"] == {(way,): count for way, count in learned.items()}
    assert found["fleet_payments_polled_share"] == {(): 3 / 8}
    assert found["fleet_payments_polled_share_warning"] == {(): 0.25}


def test_reminders_of_a_month_are_told(sessions: sessionmaker[Session], clock: Clock) -> None:
    assert told(sessions, clock)["fleet_reminders_last_month"] == {
        ("SENT",): 0,
        ("CLICKED",): 0,
        ("PAID",): 0,
    }
    for state, days, clicked, paid in (
        *(("SENT", 1, True, True), ("SENT", 29, True, False), ("SENT", 2, False, False)),
        *(("SENT", 31, True, True), ("CLAIMED", None, False, False), ("SKIPPED", None, False, False)),
    ):
        change(
            sessions,
            "insert into fleet.reminders (order_id, number, user_id, claimed_at, due_at, state, amount,"
            "  currency, sent_at, clicked_at, paid_at)"
            " values (gen_random_uuid(), 1, gen_random_uuid(), :now, :now, :state, 99900, 'USD', :at,"
            "  case when :clicked then cast(:at as timestamptz) end,"
            "  case when :paid then cast(:at as timestamptz) end)",
            now=clock.now,
            state=state,
            at=None if days is None else clock.now - timedelta(days=days),
            clicked=clicked,
            paid=paid,
        )
    assert told(sessions, clock)["fleet_reminders_last_month"] == {
        ("SENT",): 3,
        ("CLICKED",): 2,
        ("PAID",): 1,
    }


def test_codes_without_number_do_not_fill_prometheus(
    sessions: sessionmaker[Session], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 2)
    change(
        sessions,
        "insert into fleet.unseen_codes (provider, code, taken_as, seen)"
        " select 'twilio', n::text, 'Rejected', n from generate_series(1, 5) n",
    )
    found = told(sessions, clock)["fleet_unseen_codes_total"]
    assert {code: seen for (code, _, _), seen in found.items()} == {"5": 5, "4": 4, "other": 6}


def test_the_database_is_asked_once_for_many_scrapers() -> None:
    now, asked = [0.0], []

    def find() -> int:
        asked.append(now[0])
        return len(asked)

    kept = Kept(find, 10.0, lambda: now[0])
    answers = []
    for at in (0.0, 9.9, 10.0, 12.0, 30.0):
        now[0] = at
        answers.append(kept.get())
    assert answers == [1, 1, 2, 2, 3]
    assert asked == [0.0, 10.0, 30.0]


def test_two_ingresses_in_one_process_count_apart() -> None:
    registries = CollectorRegistry(), CollectorRegistry()
    IngressMetrics(registries[0]).refused("twilio", "signature")
    IngressMetrics(registries[1])
    name, labels = "fleet_callback_posts_refused_total", {"provider": "twilio", "reason": "signature"}
    assert registries[0].get_sample_value(name, labels) == 1
    assert registries[1].get_sample_value(name, labels) is None


def test_the_format_is_the_one_asked_for() -> None:
    registry = CollectorRegistry()
    IngressMetrics(registry).answered("twilio", 0.002)
    assert exposition(registry, "text/plain")[1].startswith("text/plain")
    body, content_type = exposition(registry, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
