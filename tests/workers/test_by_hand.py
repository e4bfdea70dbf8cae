"""What an operator does by hand: said first, done with who and why, and recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from db.engine import dsn
from tests.notifications.pipeline import email, execute
from workers.cli import app as cli

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client

from sqlalchemy import text


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


def fleet(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def rows(application: sessionmaker[Session], statement: str) -> list[Any]:
    with application() as session:
        return list(session.execute(text(statement)))


def failed(owner_url: str, delivery_id: UUID, code: str = "http_400") -> UUID:
    execute(
        owner_url,
        f"update notification_deliveries set status = 'FAILED', failed_at = now(),"
        f" provider_response = '{{\"code\": \"{code}\"}}' where id = '{delivery_id}'",
        f"delete from fleet.dispatch where delivery_id = '{delivery_id}'",
    )
    return delivery_id


def test_a_retry_is_said_first_and_then_done_and_recorded(
    app: Application, client: Client, owner_url: str, application: sessionmaker[Session]
) -> None:
    lost = [failed(owner_url, email(app, client)) for _ in range(2)]
    kept = failed(owner_url, email(app, client), "duplicate_delivery")
    execute(
        owner_url,
        "insert into fleet.attempts (delivery_id, number, channel, provider, price, price_unit)"
        f" values ('{lost[0]}', 1, 'EMAIL', 'sendgrid', 0.01, 'USD')",
        "update fleet.attempts set closed_at = now(), outcome = 'REFUSED', evidence = 'ANSWER'",
    )

    said = fleet("retry", "--since", "1h")
    assert said.exit_code == 0
    assert "2 on EMAIL that ended with http_400" in said.stdout
    assert "1 left out: another delivery says the same" in said.stdout
    assert "about 0.0200 USD" in said.stdout
    assert rows(application, "select 1 from fleet.dispatch") == []

    assert fleet("retry", "--since", "1h", "--yes").exit_code == 2
    done = fleet("retry", "--since", "1h", "--yes", "--why", "the template is mended", "--who", "dominique")
    assert done.exit_code == 0
    assert "2 are due again" in done.stdout
    queued = rows(application, "select delivery_id, priority, tries from fleet.dispatch")
    assert {(row.delivery_id, row.priority, row.tries) for row in queued} == {(i, 1, 0) for i in lost}
    statuses = rows(application, "select id, status::text, failed_at from notification_deliveries")
    assert {row.id: row.status for row in statuses} == {**dict.fromkeys(lost, "PENDING"), kept: "FAILED"}
    told = rows(application, "select subject, who, why, action from fleet.interventions")
    assert {(row.subject, row.who, row.why, row.action) for row in told} == {
        (i, "dominique", "the template is mended", "retry") for i in lost
    }
    assert "retry by dominique: the template is mended" in " ".join(
        moment["told"] for moment in json.loads(fleet("explain", str(lost[0]), "--json").stdout)
    )


def test_what_waits_is_given_up_and_what_has_had_its_last_word_is_left(
    app: Application, client: Client, owner_url: str, application: sessionmaker[Session]
) -> None:
    waiting, lost = email(app, client), failed(owner_url, email(app, client))
    words = ("give-up", str(waiting), str(lost))

    said = fleet(*words)
    assert (said.exit_code, f"{waiting} on EMAIL would end as FAILED" in said.stdout) == (0, True)
    assert f"{lost} left out: is FAILED" in said.stdout
    plan = json.loads(fleet(*words, "--json", "--yes", "--why", "x", "--dry-run").stdout)
    assert [each["delivery_id"] for each in plan["give_up"]] == [str(waiting)]
    assert len(rows(application, "select from fleet.dispatch")) == 1

    assert fleet(*words, "--yes").exit_code == 2
    done = fleet(*words, "--yes", "--why", "sent by post", "--who", "dominique", "--json")
    assert (done.exit_code, json.loads(done.stdout)["given_up"]) == (0, [str(waiting)])
    assert rows(application, "select from fleet.dispatch") == []
    (told,) = rows(application, "select subject, who, why, action from fleet.interventions")
    assert tuple(told) == (waiting, "dominique", "sent by post", "cancel")
    assert fleet(*words, "--yes", "--why", "again").exit_code == 1


def test_what_a_worker_has_in_hand_is_not_given_up(app: Application, client: Client, owner_url: str) -> None:
    waiting = email(app, client)
    execute(owner_url, "update fleet.dispatch set lease_until = now() + interval '1 minute'")
    answer = fleet("give-up", str(waiting), "--yes", "--why", "x")
    assert (answer.exit_code, "in a worker's hands" in answer.stderr) == (1, True)


def test_dry_runs_change_nothing(
    app: Application, client: Client, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = failed(owner_url, email(app, client))
    for words in (
        ("retry", str(lost), "--yes", "--why", "x"),
        ("pause", "SMS", "--why", "x"),
        ("suppress", "EMAIL", client.email, "--why", "x"),
        ("preferences", str(client.user_id), "--set", "locale=en", "--why", "x"),
    ):
        said = fleet(*words, "--dry-run")
        assert (said.exit_code, "Nothing was done" in said.stdout) == (0, True), said.output
        assert fleet(*words, "--dry-run", "--json").exit_code == 0
    monkeypatch.setenv("DATABASE_URL", owner_url)
    assert "Nothing was done" in fleet("db", "seed", "--dry-run").stdout
    kept = ("interventions", "channels", "suppressions", "preferences", "dispatch")
    counts = "select " + ", ".join(f"(select count(*) from fleet.{table})" for table in kept)
    with psycopg.connect(dsn(owner_url)) as connection:
        assert connection.execute(counts.encode()).fetchone() == (0,) * len(kept)


def test_a_retry_wants_to_know_which_and_leaves_the_others(app: Application, client: Client) -> None:
    waiting = email(app, client)
    assert fleet("retry").exit_code == 2
    assert fleet("retry", "not-an-id").exit_code == 2
    assert fleet("retry", "--since", "yesterday").exit_code == 2
    answer = fleet("retry", str(waiting))
    assert (answer.exit_code, "is PENDING" in answer.stdout) == (1, True)


def test_deliveries_are_found_by_what_became_of_them(
    app: Application, client: Client, owner_url: str
) -> None:
    waiting, lost = email(app, client), failed(owner_url, email(app, client))
    every = json.loads(fleet("deliveries", "--json").stdout)
    assert {d["delivery_id"] for d in every} == {str(waiting), str(lost)}
    for words in (["--status", "failed"], ["--code", "http_400"]):
        (found,) = json.loads(fleet("deliveries", *words, "--json").stdout)
        assert (found["delivery_id"], found["status"], found["code"]) == (str(lost), "FAILED", "http_400")
    assert client.email not in fleet("deliveries").stdout
    assert str(lost) in fleet("deliveries").stdout


def test_dead_letters_of_every_queue_are_listed_and_replayed(
    app: Application, client: Client, owner_url: str, application: sessionmaker[Session]
) -> None:
    delivery_id = email(app, client)
    event_id = app.event("PAYMENT_FAILED", "order", client.order_id)
    execute(
        owner_url,
        "update fleet.dispatch set parked_at = now(), last_code = 'unknown_outcome'",
        "update fleet.outbox set parked_at = now(), last_error = 'RenderError', tries = 4",
        "insert into fleet.inbox (provider, callback_id, body, parked_at, last_error)"
        " values ('twilio', 'SM1:sent:-', '{}', now(), 'DataError')",
        "insert into fleet.attempts (delivery_id, number, channel, provider)"
        f" values ('{delivery_id}', 1, 'EMAIL', 'sendgrid')",
    )
    listed = json.loads(fleet("dead-letters", "--json").stdout)
    expected = {("email", str(delivery_id)), ("fanout", str(event_id)), ("inbox", "twilio/SM1:sent:-")}
    assert {(d["queue"], d["id"]) for d in listed} == expected

    assert fleet("replay").exit_code == 2
    said = fleet("replay", "--queue", "email").stdout
    assert "1 in all; cost: nothing is known of prices" in said
    assert "Nothing was done" in said
    assert json.loads(fleet("replay", "--queue", "email", "--json").stdout)["replay"][0]["queue"] == "email"
    assert len(json.loads(fleet("dead-letters", "--json").stdout)) == 3
    assert fleet("replay", "--since", "1h", "--yes", "--why", "mended").exit_code == 0
    assert json.loads(fleet("dead-letters", "--json").stdout) == []
    assert rows(application, "select outcome from fleet.attempts") == [("NO_EVIDENCE",)]
    (done,) = rows(application, "select action, details from fleet.interventions")
    assert (done.action, len(done.details["letters"])) == ("replay", 3)
    assert fleet("replay", "--queue", "email", "--yes", "--why", "again").exit_code == 1


def test_a_channel_is_paused_and_resumed(database_url: str, application: sessionmaker[Session]) -> None:
    assert database_url
    assert fleet("pause", "pigeon", "--why", "gone").exit_code == 2
    assert "is not paused" in fleet("resume", "SMS", "--why", "x", "--dry-run").stderr
    assert fleet("pause", "sms", "--for", "2h", "--why", "prices", "--who", "dominique").exit_code == 0
    (pause,) = rows(
        application, "select channel, kind, detail, paused_until - paused_at as long from fleet.channels"
    )
    assert (pause.channel, pause.kind, pause.detail) == ("SMS", "BY_HAND", "dominique: prices")
    assert pause.long.total_seconds() == 7200
    assert "would go on" in fleet("resume", "SMS", "--why", "paid", "--dry-run").stdout
    assert fleet("resume", "SMS", "--why", "paid").exit_code == 0
    assert fleet("resume", "SMS", "--why", "paid").exit_code == 1
    actions = rows(application, "select action from fleet.interventions order by at")
    assert [row.action for row in actions] == ["pause", "resume"]
