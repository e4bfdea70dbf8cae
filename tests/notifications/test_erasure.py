"""A person's data are given out whole, and erased so that nothing finds them but where it is named."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis
from sqlalchemy import text

from db import json_rows
from db.queries import inbox, interventions
from db.queries.interventions import By
from providers.sendgrid_erasure import SendGridErasure
from providers.transport import PooledTransport
from providers.twilio import TwilioMessages, TwilioSender
from providers.twilio_http import TwilioAccount
from providers.twilio_redaction import TwilioRedaction
from services.notifications import export, traces
from services.notifications.carriers import PhoneCarrier
from services.notifications.delivery import Drain
from services.notifications.erasure import KEPT_FOR_ACCOUNTING, PLATFORMS_OWN, Eraser, NamesThePersonError
from services.notifications.pace import Pace
from tests.notifications.pipeline import (
    API_KEY,
    APP_URL,
    JITTER,
    LEASE,
    POLICY,
    RENDERER,
    Stalled,
    email,
    never,
    side_by_side,
)
from tests.notifications.prospects import Prospects
from tests.waiting import wait_for
from workers.dev.sandbox.state import USUAL_ACCOUNT_SID, USUAL_AUTH_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.notifications.pipeline import Pipeline
    from workers.dev.application import Application, Client
    from workers.dev.embedded.redis import EmbeddedRedis
    from workers.dev.sandbox.client import SandboxClient

EMAIL, NUMBER, NAME = "Camille.D@example.com", "+33639980017", "Camille D'Exemple"
AS_WRITTEN = "06 39 98 00 17"
OTHERS_EMAIL, OTHERS_NUMBER = "dominique@example.com", "+33639980018"
OURS = "+33639980099"
BY = By("operator", "asked for by letter")
NEEDLES = re.compile(r"camille\.d(@|%40)example\.com|639980017|camille d'exemple")
NAMED = {"auth.users", *(f"public.{table}" for table in (*PLATFORMS_OWN, *KEPT_FOR_ACCOUNTING))}

_TABLES = text("""
    select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    order by 1
""")


def is_found_in(words: str) -> bool:
    """Whether the person's address, number or name is in a text, however it is spelt."""
    return bool(NEEDLES.search(re.sub(r"(?<=\d)[\s.()/-]+(?=\d)", "", words.lower())))


@dataclass(frozen=True)
class History:
    """A person of whom every table tells.

    Attributes:
        client: The person.
        waiting: A delivery that is still in the queue.
    """

    client: Client
    waiting: UUID


def everything(pipeline: Pipeline) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    with pipeline.application() as session:
        return {
            table: list(session.scalars(text(f"select to_jsonb(t)::text from {table} t")))
            for table in session.scalars(_TABLES).all()
        }


def found(pipeline: Pipeline) -> dict[str, list[str]]:
    """The rows that hold something of the person's, by their tables."""
    hits = {t: [row for row in rows if is_found_in(row)] for t, rows in everything(pipeline).items()}
    return {table: rows for table, rows in hits.items() if rows}


def of_the_other(pipeline: Pipeline) -> dict[str, list[str]]:
    everybodys = everything(pipeline)
    return {
        table: sorted(row for row in rows if OTHERS_EMAIL in row or OTHERS_NUMBER in row)
        for table, rows in everybodys.items()
    }


@pytest.fixture
def account(sandbox: SandboxClient) -> TwilioAccount:
    return TwilioAccount(USUAL_ACCOUNT_SID, USUAL_AUTH_TOKEN, sandbox.base_url)


@pytest.fixture
def transport() -> Iterator[PooledTransport]:
    lines = PooledTransport(connect_timeout=3.0, read_timeout=10.0, connections=4)
    yield lines
    lines.close()


@pytest.fixture
def eraser(
    pipeline: Pipeline, sandbox: SandboxClient, account: TwilioAccount, transport: PooledTransport
) -> Eraser:
    redactions = {"twilio": TwilioRedaction(account, transport)}
    erasures = {"sendgrid": SendGridErasure(API_KEY, sandbox.base_url, transport)}
    return Eraser(pipeline.sessions, redactions, erasures, "FR", pipeline.clock)


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url, decode_responses=True) as connected:
        yield connected


@pytest.fixture
def history(
    app: Application,
    pipeline: Pipeline,
    sandbox: SandboxClient,
    account: TwilioAccount,
    transport: PooledTransport,
    redis_server: EmbeddedRedis,
) -> History:
    """What becomes of a client over time, through the real parts, and of another beside it."""
    client = app.pay(app.register(EMAIL, NAME, phone=AS_WRITTEN))
    other = app.register(OTHERS_EMAIL, "Dominique Autre", phone="06 39 98 00 18")
    app.review(app.upload(client, "PASSPORT"), "REJECTED", f"ce n'est pas {NAME}")
    app.write_message(client, f"Bonjour {NAME}")
    app.event("ERROR", "payment_link", uuid4(), {"prospect": EMAIL, "tel": AS_WRITTEN})
    app.event("ERROR", "order", client.order_id, {"said": f"{NAME} a appelé"})
    app.event("ERROR", "order", other.order_id, {"email": OTHERS_EMAIL})
    pipeline.fan_out().run(never)
    for each, number in ((client, AS_WRITTEN), (other, OTHERS_NUMBER)):
        said = app.notify(each, f"Pour {NAME if each is client else OTHERS_EMAIL}", f"Le {number}")
        app.deliver(said, "SMS", number)
        email(app, each)
    limiter = MovingWindowRateLimiter(RedisStorage(redis_server.url, wrap_exceptions=True))
    pace = Pace("EMAIL", limiter, RateLimitItemPerMinute(1000), RateLimitItemPerHour(1000), time.time)
    pipeline.drain(pace=pace).run(never)
    sender = TwilioSender("SMS", OURS)
    messages = TwilioMessages(account, sender, "http://127.0.0.1:1", transport)
    phone = PhoneCarrier(messages, RENDERER, "fr", APP_URL, "FR")
    lease, hour = timedelta(seconds=LEASE), timedelta(hours=1)
    Drain(
        "SMS", phone, pipeline.sessions, POLICY, lease, 4, pipeline.clock, lambda: JITTER, lookup_after=hour
    ).run(never)
    call_back(pipeline, sandbox)
    pipeline.evidence().run(never)
    by_hand(pipeline, client)
    Prospects(pipeline.sessions, pipeline.application, pipeline.clock).links.run(never)
    pipeline.change("delete from fleet.dispatch")
    return History(client, email(app, client, title=NAME))


def call_back(pipeline: Pipeline, sandbox: SandboxClient) -> None:
    """What SendGrid and Twilio post, and what people write."""
    attempts = pipeline.rows(
        "select a.token, a.channel, a.provider_message_id, d.recipient from fleet.attempts a"
        " join notification_deliveries d on d.id = a.delivery_id where a.outcome = 'ACCEPTED'"
    )
    events: list[dict[str, object]] = []
    forms: list[dict[str, object]] = []
    for a in attempts:
        hers = a.recipient in {EMAIL, AS_WRITTEN}
        if a.channel == "EMAIL":
            events.append(
                {
                    "event": "bounce",
                    "email": a.recipient,
                    "attempt": str(a.token),
                    "sg_message_id": f"{a.provider_message_id}.recvd",
                    "reason": f"550 {NAME if hers else 'Dominique'} is not here",
                    "ip": "192.0.2.7",
                }
            )
            continue
        number = NUMBER if hers else OTHERS_NUMBER
        forms.append(
            {
                "MessageSid": a.provider_message_id,
                "MessageStatus": "sent",
                "To": number,
                "attempt": str(a.token),
                "of": "sent:-",
            }
        )
        wrote = sandbox.reply(number, "Merci, et bonne journée")
        forms.append(
            {"MessageSid": wrote.sid, "From": number, "Body": NAME if hers else "Merci", "of": "inbound"}
        )
    with pipeline.sessions.begin() as session:
        rows = [{"callback_id": str(uuid4()), "body": event} for event in events]
        inbox.store(session, "sendgrid", json_rows.dumps(rows))
        rows = [{"callback_id": f"{form['MessageSid']}:{form.pop('of')}", "body": form} for form in forms]
        inbox.store(session, "twilio", json_rows.dumps(rows))


def by_hand(pipeline: Pipeline, client: Client) -> None:
    """What is said about addresses, links and people; and an error that quotes an address."""
    who = {"user": client.user_id, "email": EMAIL.lower(), "number": NUMBER}
    pipeline.change(
        "update fleet.attempts set message = 'no such box: ' || :email, outcome = 'REFUSED'"
        " where token = (select token from fleet.attempts where provider = 'sendgrid' and delivery_id in"
        "  (select id from notification_deliveries where recipient ilike :email) order by token limit 1)",
        **who,
    )
    pipeline.change(
        "update fleet.receipts set reason = coalesce(reason, '') || :email where delivery_id in (select id"
        " from notification_deliveries where recipient ilike :email)",
        **who,
    )
    for channel, address in (("EMAIL", EMAIL.lower()), ("SMS", NUMBER), ("SMS", OTHERS_NUMBER)):
        pipeline.change(
            "insert into fleet.suppressions (channel, address, reason, source)"
            " values (:channel, :address, 'BY_HAND', 'operator')",
            channel=channel,
            address=address,
        )
    pipeline.change("insert into fleet.preferences (user_id, locale) values (:user, 'en')", **who)
    pipeline.change(
        "insert into fleet.links (token, kind, target, user_id, expires_at)"
        " values ('made-up', 'REMINDER', 'https://app.example.com/?email=' || :email, :user, now())",
        **who,
    )
    pipeline.change(
        "insert into payment_reminders (user_id, order_id, sent_via) values (:user, :order, 'EMAIL')",
        order=client.order_id,
        **who,
    )
    pipeline.change(
        "insert into fleet.reminders (order_id, number, user_id, claimed_at, due_at, state, token, amount,"
        "  currency, forced_by, forced_why, sent_at)"
        " values (:order, 1, :user, now(), now(), 'SENT', 'made-up', 99900, 'USD', 'operator', :why, now())",
        order=client.order_id,
        why=f"{NAME} has called",
        **who,
    )
    pipeline.change(
        "insert into payment_links (token, product_id, prospect_email, prospect_name)"
        " select generate_payment_link_token(), product_id, :email, :name from orders limit 1",
        name=NAME,
        **who,
    )
    with pipeline.sessions.begin() as session:
        interventions.record(session, By("operator", f"{NAME} asked"), "suppress", {"address": NUMBER})
        interventions.record(session, By("operator", "asked"), "prefer", {"for": EMAIL}, [client.user_id])


def all_delivered(sandbox: SandboxClient) -> None:
    """Wait until nothing is under way to the person's phone any more: what is can't be deleted."""
    over = {"delivered", "received"}
    wait_for(lambda: all(message.status in over for message in sandbox.phone_messages(number=NUMBER)))


def exported(pipeline: Pipeline, client: Client) -> dict[str, Any]:
    with pipeline.sessions() as session:
        written = "".join(export.document(session, client.user_id, "FR", pipeline.clock.now))
    document: dict[str, Any] = json.loads(written)
    return document


def test_after_an_erasure_nothing_is_found_but_where_it_is_named(
    history: History,
    eraser: Eraser,
    pipeline: Pipeline,
    sandbox: SandboxClient,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    others = of_the_other(pipeline)
    before = found(pipeline)
    assert before.keys() - NAMED == {
        *("public.events", "public.notifications", "public.notification_deliveries", "fleet.attempts"),
        *("fleet.inbox", "fleet.receipts", "fleet.conversations", "fleet.suppressions", "fleet.links"),
        *("fleet.interventions", "fleet.letters", "fleet.reminders", "public.payment_links"),
    }
    all_delivered(sandbox)

    planned = eraser.plan(history.client.user_id)
    assert found(pipeline) == before, "a plan changes nothing"
    emails = len(sandbox.messages(to=EMAIL))
    assert (planned.at_providers["twilio"], planned.beyond_reach) == (2, {})
    assert planned.at_providers["sendgrid"] in {emails, emails - 1}, "one was made to look refused"

    erased = eraser.erase(history.client.user_id, BY)
    assert erased.rows == planned.rows
    assert (erased.deleted, erased.failed, erased.events_left) == (sum(planned.at_providers.values()), {}, 0)
    assert found(pipeline).keys() <= NAMED
    assert of_the_other(pipeline) == others
    assert sandbox.phone_messages(number=NUMBER) == []
    assert len(sandbox.phone_messages(number=OTHERS_NUMBER)) == 2
    assert {message.recipient for message in sandbox.messages()} == {OTHERS_EMAIL}

    kept = [f"{key} {redis.dump(key)!r}" for key in redis.scan_iter()]
    assert kept, "the limits have counted"
    said = [f"{record.name} {record.getMessage()}" for record in caplog.records]
    ours = [line for line in said if "/sandbox/api/" not in line]  # but for the test's own questions
    assert [line for line in (*kept, *ours) if is_found_in(line)] == []


def test_what_happened_stays_and_what_waits_is_never_sent(
    history: History, eraser: Eraser, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    attempts = "select token, number, outcome, code, provider_message_id from fleet.attempts order by token"
    tried = pipeline.rows(attempts)
    states = dict(pipeline.rows("select id, status::text from notification_deliveries"))
    sandbox.clear()
    eraser.erase(history.client.user_id, BY)
    pipeline.send()
    assert sandbox.messages() == []
    ended = pipeline.delivery(history.waiting)
    assert (ended.status, ended.provider_response) == ("FAILED", {"code": "erased"})
    assert pipeline.rows(attempts) == tried
    after = dict(pipeline.rows("select id, status::text from notification_deliveries"))
    assert after == {each: "FAILED" if state == "PENDING" else state for each, state in states.items()}
    (note,) = pipeline.rows("select who, why, redacted from fleet.erasures")
    assert (note.who, note.why, note.redacted["queued deliveries ended"]) == (BY.who, BY.why, 1)
    assert pipeline.rows("select subject from fleet.interventions where action = 'gdpr erase'") == [
        (history.client.user_id,)
    ]


def test_a_second_erasure_finds_nothing_and_records_nothing(
    history: History, eraser: Eraser, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    all_delivered(sandbox)
    eraser.erase(history.client.user_id, BY)
    again = eraser.erase(history.client.user_id, BY)
    assert again.nothing
    assert again.rows.keys() == eraser.plan(history.client.user_id).rows.keys()
    assert pipeline.scalar("select count(*) from fleet.erasures") == 1


def test_what_a_provider_would_not_delete_is_asked_for_by_the_next_run(
    history: History, eraser: Eraser, sandbox: SandboxClient
) -> None:
    all_delivered(sandbox)
    sandbox.fault("status", status=503, request="look", to=NUMBER)
    first = eraser.erase(history.client.user_id, BY)
    assert sum(first.failed.values()) == 1
    second = eraser.erase(history.client.user_id, BY)
    assert (second.deleted, second.failed, second.at_providers) == (1, {}, {"twilio": 1})
    assert sandbox.phone_messages(number=NUMBER) == []


def test_an_export_holds_every_row_that_a_search_finds(history: History, pipeline: Pipeline) -> None:
    document = exported(pipeline, history.client)
    Draft202012Validator(export.schema()).validate(document)
    rows = [row for section in document["sections"].values() for row in section]
    missing = {
        table: [row for row in hits if json.loads(row) not in rows]
        for table, hits in found(pipeline).items()
        if table not in NAMED or table == "public.profiles"
    }
    assert {table: hits for table, hits in missing.items() if hits} == {}
    assert OTHERS_EMAIL not in json.dumps(document)
    assert document["email"] == EMAIL
    assert all(document["sections"][name] for name in ("lookups", "queued", "preferences", "reminders"))
    assert exported(pipeline, history.client) == document, "the same data make the same document"


def test_what_is_under_way_is_not_sent_again_and_is_for_the_next_run(
    history: History, eraser: Eraser, pipeline: Pipeline
) -> None:
    pipeline.change("delete from fleet.suppressions")
    worker = Stalled(pipeline.carrier)
    with side_by_side(lambda: pipeline.drain(worker).run(never)):
        assert worker.answered.wait(20)
        assert eraser.erase(history.client.user_id, BY).under_way == 1
        worker.thawed.set()
    assert pipeline.queued(history.waiting) is None
    assert pipeline.delivery(history.waiting).status == "FAILED"
    assert eraser.plan(history.client.user_id).at_providers["sendgrid"] == 1


def test_letters_and_payment_links_are_given_out_and_erased_with_the_person(
    app: Application, eraser: Eraser, pipeline: Pipeline, sandbox: SandboxClient
) -> None:
    client = app.register(EMAIL, NAME)
    prospects = Prospects(pipeline.sessions, pipeline.application, pipeline.clock)
    before, used, others = (
        prospects.link(EMAIL.upper(), NAME),
        prospects.link("work@example.com", NAME),
        prospects.link(OTHERS_EMAIL, "Dominique Autre"),
    )
    pipeline.change("update payment_links set used_by = :who where id = :id", who=client.user_id, id=used)
    prospects.links.run(never)
    pipeline.send()
    waiting = prospects.link(EMAIL, NAME)
    prospects.links.run(never)
    hers = {prospects.letter(each).id for each in (before, used, waiting)}
    sections = exported(pipeline, client)["sections"]
    assert {row["id"] for row in sections["letters"]} == {str(each) for each in hers}
    assert {row["id"] for row in sections["payment_links"]} == {str(i) for i in (before, used, waiting)}

    erased = eraser.erase(client.user_id, BY)
    assert (erased.rows["letters"], erased.rows["payment_links"]) == (3, 3)
    assert erased.rows["queued deliveries ended"] == 1
    for each in (before, used, waiting):
        link, letter = prospects.row(each), prospects.letter(each)
        assert (link.prospect_email, link.prospect_name) == (traces.ERASED, None)
        assert (letter.recipient, letter.recipient_name, letter.action_url) == (traces.ERASED, None, None)
        assert letter.payload.keys() == {"redacted_at"}
    assert prospects.letter(waiting).provider_response == {"code": "erased"}
    assert prospects.letter(others).recipient == OTHERS_EMAIL
    assert prospects.row(others).prospect_name == "Dominique Autre"
    pipeline.change("update fleet.letters set template_code = 'another' where recipient = '[erased]'")
    assert prospects.links.run(never) == 0, "nobody is written to at the marker"
    assert eraser.erase(client.user_id, BY).nothing
    assert {message.recipient for message in sandbox.messages()} == {OTHERS_EMAIL}


def test_a_link_at_an_office_does_not_make_the_office_the_persons(
    app: Application, eraser: Eraser, pipeline: Pipeline
) -> None:
    client, other = app.register(EMAIL, NAME), app.register(OTHERS_EMAIL, "Dominique Autre")
    prospects = Prospects(pipeline.sessions, pipeline.application, pipeline.clock)
    for each in (client, other):
        pipeline.change(
            "update payment_links set used_by = :who where id = :id",
            who=each.user_id,
            id=prospects.link("bureau@example.com"),
        )
    app.event("ERROR", "order", other.order_id, {"copy": "bureau@example.com"})
    eraser.erase(client.user_id, BY)
    assert len(pipeline.rows("select from events where payload ->> 'copy' = 'bureau@example.com'")) == 1
    assert sorted(pipeline.rows("select prospect_email from payment_links")) == [
        ("[erased]",),
        ("bureau@example.com",),
    ]


def test_a_reason_does_not_keep_what_is_erased(history: History, eraser: Eraser, pipeline: Pipeline) -> None:
    for reason in (f"{NAME.upper()} asked", f"by {EMAIL}", "called from 0639980017"):
        with pytest.raises(NamesThePersonError):
            eraser.erase(history.client.user_id, By("operator", reason))
    assert pipeline.scalar("select count(*) from fleet.erasures") == 0


def test_without_the_door_events_are_named_and_the_rest_is_erased(
    history: History, eraser: Eraser, pipeline: Pipeline
) -> None:
    pipeline.change("alter function fleet.redact_event(uuid) rename to behind_a_wall")
    try:
        erased = eraser.erase(history.client.user_id, BY)
    finally:
        pipeline.change("alter function fleet.behind_a_wall(uuid) rename to redact_event")
    assert (erased.events_left > 1, erased.rows["events"]) == (True, 0)
    assert found(pipeline).keys() - NAMED == {"public.events"}


def test_a_shared_number_stays_suppressed_for_the_other(
    history: History, app: Application, eraser: Eraser, pipeline: Pipeline
) -> None:
    app.register("partner@example.com", "Dominique Exemple", phone="+33 6 39 98 00 17")
    eraser.erase(history.client.user_id, BY)
    assert pipeline.scalar("select count(*) from fleet.suppressions where address = :n", n=NUMBER) == 1


def test_what_is_no_address_or_an_office_erases_nothing_of_others(
    app: Application, eraser: Eraser, pipeline: Pipeline
) -> None:
    careless = app.register("sans@example.com", "Li", phone="-")
    other = app.register(OTHERS_EMAIL, "Dominique Autre")
    for each in (careless, other):
        email(app, each, "bureau@example.com")
        app.deliver(app.notify(each, "Bonjour", "…"), "SMS", "12")
        app.event("ERROR", "order", other.order_id, {"copy": "bureau@example.com", "line": "12 - Li"})
    eraser.erase(careless.user_id, By("operator", "a deliberate choice"))
    kept = pipeline.rows("select payload from events where payload ? 'copy'")
    assert len(kept) == 2
    assert pipeline.rows("select recipient from notification_deliveries where status = 'PENDING'") != []


def test_every_spelling_is_found_by_the_database_as_by_us(pipeline: Pipeline) -> None:
    found_by = traces.either(traces.of_emails([EMAIL.lower()]), traces.of_numbers([NUMBER]))
    assert found_by is not None
    others = "7639980017 00336399800171 xcamille.d@example.com camille.d@example.community"
    numbers = ("0639980017", "+33 (0)6 39 98 00 17", "0033639980017", "tel:06.39.98.00.17", "%2B33639980017")
    for spelling in (*numbers, "CAMILLE.D@EXAMPLE.COM", "?to=camille.d%40example.com&x=1"):
        for words, expected in ((f"a {spelling}, b", True), (others, False)):
            assert bool(re.search(found_by, words, re.IGNORECASE)) is expected
            assert pipeline.scalar("select cast(:words as text) ~* :p", words=words, p=found_by) is expected


def test_what_stripe_has_said_is_given_out_and_kept(
    history: History, eraser: Eraser, pipeline: Pipeline
) -> None:
    order = {"id": history.client.order_id}
    pipeline.change(
        "insert into fleet.settlements (order_id, amount, currency, learned)"
        " values (:id, 99900, 'usd', 'POLL')",
        **order,
    )
    pipeline.change(
        "insert into fleet.payments"
        " (payment_intent_id, order_id, status, amount, currency, created_at, seen_at)"
        " values ('pi_1', :id, 'succeeded', 99900, 'usd', now(), now())",
        **order,
    )
    pipeline.change(
        "insert into fleet.payment_failures (failure_key, order_id, failed_at) values ('ch_1', :id, now())",
        **order,
    )
    pipeline.change("insert into fleet.session_checks (session_id, order_id) values ('cs_1', :id)", **order)
    pipeline.change(
        "insert into fleet.findings (kind, subject, order_id, done, found_at, seen_at, note)"
        " values ('DISPUTE', 'dp_1', :id, 'nothing', now(), now(), :note)",
        note=f"{NAME} has called",
        **order,
    )
    tables = ("settlements", "payments", "payment_failures", "session_checks", "findings")
    sections = exported(pipeline, history.client)["sections"]
    assert [len(sections[table]) for table in tables] == [1] * len(tables)
    eraser.erase(history.client.user_id, BY)
    assert [len(everything(pipeline)[f"fleet.{table}"]) for table in tables] == [1] * len(tables)
    assert pipeline.rows("select amount, note from fleet.settlements, fleet.findings") == [
        (99900, traces.ERASED)
    ]


def test_reminders_are_given_out_and_kept_without_their_links(
    history: History, eraser: Eraser, pipeline: Pipeline
) -> None:
    client = history.client
    pipeline.change(
        "insert into fleet.reminders (order_id, number, user_id, claimed_at, due_at, amount, currency, last,"
        "  forced_by, forced_why)"
        " values (:order, 2, :user, now(), now(), 99900, 'USD', true, 'operator', 'asked by phone')",
        order=client.order_id,
        user=client.user_id,
    )
    pipeline.change(
        "insert into fleet.reminder_sessions (session_id, order_id, number, created_at, expires_at)"
        " values ('cs_1', :order, 1, now(), now())",
        order=client.order_id,
    )
    pipeline.change("insert into fleet.cancellations values (:order, 1, now())", order=client.order_id)
    tables = {"reminded": 2, "reminder_sessions": 1, "cancellations": 1}
    sections = exported(pipeline, client)["sections"]
    assert {name: len(sections[name]) for name in tables} == tables
    assert eraser.erase(client.user_id, BY).rows["reminders"] == 2
    assert pipeline.rows(
        "select state, reason, token, last, forced_by, forced_why from fleet.reminders order by number"
    ) == [
        ("SENT", None, None, False, "operator", traces.ERASED),
        ("SKIPPED", "erased", None, False, "operator", "asked by phone"),
    ]
    assert eraser.plan(client.user_id).rows["reminders"] == 0
    sections = exported(pipeline, client)["sections"]
    assert {name: len(sections[name]) for name in tables} == tables


def test_events_of_stripe_keep_what_they_point_to_and_nothing_of_the_person(
    history: History, eraser: Eraser, pipeline: Pipeline
) -> None:
    client = history.client
    thing = {"id": "cs_test_1", "object": "checkout.session", "payment_intent": "pi_1"}
    told = {
        "evt_by_mail": thing | {"customer_details": {"email": EMAIL, "name": NAME}},
        "evt_by_user": thing | {"metadata": {"user_id": str(client.user_id)}, "receipt": "of somebody"},
        "evt_of_another": thing | {"customer_details": {"email": OTHERS_EMAIL}},
    }
    events = [
        {
            "callback_id": name,
            "body": {"id": name, "type": "checkout.session.completed", "data": {"object": object_}},
        }
        for name, object_ in told.items()
    ]
    with pipeline.sessions.begin() as session:
        inbox.store(session, "stripe", json_rows.dumps(events))
    eraser.erase(client.user_id, BY)
    with pipeline.sessions() as session:
        found = session.execute(text("select callback_id, body from fleet.inbox where provider = 'stripe'"))
        left = {row.callback_id: row.body for row in found}
    assert left["evt_of_another"]["data"]["object"] == told["evt_of_another"]
    for name in ("evt_by_mail", "evt_by_user"):
        assert left[name]["data"] == {"object": thing}
        assert left[name]["type"] == "checkout.session.completed"
