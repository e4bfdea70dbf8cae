"""What Sentry is told of a delivery that fails: which, where and how, and nothing of whom."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sqlalchemy import text

from tests.collector import Collector, collecting
from tests.notifications.pipeline import email
from workers import reporting
from workers.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from db.queries.dispatch import ClaimedRow
    from providers.base import Receipt
    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


@dataclass
class Broken:
    """Fails on the database, whose words quote the person."""

    pipeline: Pipeline
    provider: str = "sendgrid"

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        person = {"id": claimed.user_id, "name": claimed.full_name, "address": claimed.recipient}
        with self.pipeline.sessions() as session:
            session.execute(text("select cast(:name || :address as uuid), cast(:id as uuid)"), person)
        raise AssertionError(token)


def dsn(collector: Collector) -> str:
    return f"{collector.url.replace('://', '://key@')}/1"


def fail(app: Application, client: Client, pipeline: Pipeline) -> UUID:
    delivery_id = email(app, client)
    settlement = pipeline.drain(Broken(pipeline)).one(delivery_id)
    assert settlement is not None
    assert (settlement.state, settlement.code) == ("PARKED", "DataError")
    return delivery_id


def test_a_failure_is_one_report_of_where_and_which(
    app: Application, client: Client, pipeline: Pipeline, collector: Collector
) -> None:
    reporting.report(dsn(collector), "worker", "0.1.0", "test")
    delivery_id = fail(app, client, pipeline)
    reporting.stop()
    (told,) = collector.reports()
    (attempt,) = pipeline.attempts(delivery_id)
    about = {"delivery_id": str(delivery_id), "attempt": str(attempt.token)}
    assert told["tags"] == about | {"process": "worker"}
    assert (told["release"], told["environment"], told["level"]) == ("fleet@0.1.0", "test", "error")
    assert told["logger"] == "services.notifications.delivery"
    assert told["logentry"] == {"message": f"delivery {delivery_id} could not be prepared"}
    thrown = told["exception"]["values"]
    assert [each["type"] for each in thrown] == ["InvalidTextRepresentation", "DataError"]
    frames: list[dict[str, Any]] = thrown[-1]["stacktrace"]["frames"]
    assert {"_carry", "carry"} <= {frame["function"] for frame in frames}
    assert not any("vars" in frame for frame in frames)
    assert not {"user", "request", "server_name", "extra", "contexts", "breadcrumbs", "modules"} & told.keys()
    # Source lines are ours; what went through them is not told.
    sent = json.dumps(told, ensure_ascii=False)
    for secret in ("camille@", "Camille", "Exemple", client.email, str(client.user_id)):
        assert secret not in sent
        assert secret.encode() not in collector.raw


def test_nobody_waits_where_sentry_is_away(app: Application, client: Client, pipeline: Pipeline) -> None:
    with collecting() as collector:
        gone = dsn(collector)
    reporting.report(gone, "worker", "0.1.0", "test")
    try:
        fail(app, client, pipeline)
    finally:
        reporting.stop()
        sentry_sdk.get_global_scope().set_client(None)
    assert collector.posted == []


def test_a_dsn_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="SENTRY_DSN is no DSN"):
        reporting.report("sentry.example.com", "worker", "0.1.0", "test")
