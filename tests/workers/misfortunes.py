"""One of each thing that an alert is for, put into a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.notifications.pipeline import execute

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MISFORTUNES: Mapping[str, str] = {
    "FleetDeadLetters": (
        "insert into fleet.outbox (event_id, due_at, parked_at) values (gen_random_uuid(), '{now}', '{now}')"
    ),
    "FleetCallbacksWait": (
        "insert into fleet.inbox (provider, callback_id, body, received_at, due_at)"
        " values ('stripe', 'evt_1', '{{}}', timestamptz '{now}' - interval '11 minutes',"
        " timestamptz '{now}' + interval '1 minute')"
    ),
    "FleetProviderMisconfigured": (
        "insert into fleet.channels (channel, kind, code, detail, paused_until)"
        " values ('EMAIL', 'MISCONFIGURED', 'http_401', '', timestamptz '{now}' + interval '5 minutes')"
    ),
    "FleetUnseenCode": (
        "insert into fleet.unseen_codes (provider, code, taken_as, seen, last_seen)"
        " values ('twilio', '99999', 'rejected', 1, timestamptz '{now}' - interval '23 hours')"
    ),
    "FleetUnknownOutcomes": (
        "insert into fleet.attempts (delivery_id, number, channel, provider, opened_at)"
        " values (gen_random_uuid(), 1, 'SMS', 'twilio', timestamptz '{now}' - interval '31 minutes')"
    ),
    "FleetNoEvidence": (
        "insert into fleet.attempts"
        " (delivery_id, number, channel, provider, opened_at, closed_at, outcome, evidence)"
        " values (gen_random_uuid(), 1, 'EMAIL', 'sendgrid', timestamptz '{now}' - interval '20 minutes',"
        " '{now}', 'NO_EVIDENCE', 'NONE')"
    ),
    "FleetFindingsOpen": (
        "insert into fleet.findings (kind, subject, done, found_at, seen_at)"
        " values ('DISPUTE', 'du_1', 'told', '{now}', '{now}')"
    ),
    "FleetPaymentsPolled": (
        "insert into fleet.settlements (order_id, amount, currency, learned, settled_at)"
        " values (gen_random_uuid(), 12000, 'EUR', 'POLL', '{now}')"
    ),
    "FleetBeatSilent": (
        "insert into fleet.schedule (name, since)"
        " values ('wake-queues', timestamptz '{now}' - interval '2 minutes')"
    ),
    "FleetRunFails": (
        "insert into fleet.schedule (name, since, started_at, finished_at, took, error, runs)"
        " values ('forget-links', '{now}', '{now}', '{now}', '1 second', 'UndefinedTable', 1)"
    ),
    "FleetWorkIsLate": (
        "insert into fleet.lookups (token, kind, due_at)"
        " select token, 'STATUS', timestamptz '{now}' - interval '2 minutes' from fleet.attempts limit 1"
    ),
}
"""By the alert. The last one needs an attempt to be about."""


def befall(owner_url: str, now: datetime, *alerts: str) -> None:
    """Have these happen."""
    execute(owner_url, *(MISFORTUNES[alert].format(now=now.isoformat()) for alert in alerts))
