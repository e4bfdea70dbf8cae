"""The fleet is put on each of the platform's databases, works on it, and is taken off again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from db import catalog, locks, migrate, removal, revisions
from db.catalogs import load
from db.engine import dsn, make_engine
from db.harden import soften
from db.progress import quiet
from db.recognise import Kind
from db.seed import seed
from tests.databases import let_in
from tests.db import kills
from tests.db.platforms import ADDITIONS, make_v1, make_v2, public, recognised
from tests.notifications.conftest import (  # noqa: F401 - fixtures
    _running_sandbox,
    sandbox,
    sender,
)
from tests.notifications.pipeline import Clock, Pipeline, execute, never, side_by_side
from tests.waiting import wait_for
from workers.cli import app as fleet
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.sendgrid import SendGridEmail
    from tests.databases import Database
    from workers.dev.sandbox.client import SandboxClient


EVENT = (
    "insert into events (entity_type, entity_id, event_type) values ('dossier', gen_random_uuid(), 'ERROR')"
)

EMAILS = """
select d.status::text from notification_deliveries d join notifications n on n.id = d.notification_id
where n.template_code = 'DOCUMENT_APPROVED' and d.channel = 'EMAIL' and d.provider_message_id is not null
"""


def make_additions(url: str) -> None:
    make_v2(url)
    execute(url, *ADDITIONS)


def make_managed(url: str) -> None:
    migrate.upgrade(url, "0001_platform_v2")


KINDS = {
    Kind.EMPTY: lambda _: None,
    Kind.V1: make_v1,
    Kind.V2_UNMANAGED: make_v2,
    Kind.V2_MANAGED: make_managed,
    Kind.V2_WITH_ADDITIONS: make_additions,
}


def without_the_fleet(found: catalog.Catalog) -> catalog.Catalog:
    found["triggers"] = [each for each in found["triggers"] if "fleet." not in each["def"]]
    return found


def fleets(url: str) -> int:
    """How many schemas, triggers, functions and types bear the fleet's name."""
    with psycopg.connect(dsn(url)) as connection:
        found = connection.execute(
            "select (select count(*) from pg_namespace where nspname = 'fleet')"
            " + (select count(*) from pg_trigger where tgname like 'fleet%')"
        ).fetchone()
    assert found
    return int(found[0])


@pytest.mark.parametrize("kind", KINDS)
def test_an_approved_document_is_announced_on_each_kind_of_database(
    blank: Database,
    kind: Kind,
    sender: SendGridEmail,  # noqa: F811
    sandbox: SandboxClient,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    KINDS[kind](blank.owner_url)
    assert recognised(blank.owner_url).kind is kind
    migrate.upgrade(blank.owner_url)
    assert recognised(blank.owner_url).revision
    assert migrate.steps(recognised(blank.owner_url)) == []
    let_in(blank)

    owner, processes = make_engine(blank.owner_url), make_engine(blank.url)
    pipeline = Pipeline(
        sessionmaker(processes, expire_on_commit=False),
        sessionmaker(owner, expire_on_commit=False),
        sender,
        Clock(),
    )
    with Session(owner) as session, session.begin():
        seed(session)
    with Application(blank.owner_url) as app:
        client = app.pay(app.register("camille@example.com", "Camille Exemple"))
        pipeline.change("delete from fleet.outbox")
        app.review(app.upload(client, "PASSPORT"), "APPROVED")
        if kind is Kind.V2_WITH_ADDITIONS:
            app.event("DOSSIER_ARCHIVED", "dossier", client.dossier_id or uuid4())
            app.notify(client, "Rendez-vous", "Demain.")
        pipeline.fan_out().run(never)
        pipeline.send()

    emails = pipeline.scalar(
        "select count(distinct notification_id) from notification_deliveries where channel = 'EMAIL'"
    )
    assert len(sandbox.messages()) == emails
    assert pipeline.rows(EMAILS) == [("SENT",)]
    if kind is Kind.V2_WITH_ADDITIONS:
        assert emails == 3
        assert pipeline.scalar("select count(*) from fleet.fanouts where reason like 'unknown%'") == 1
        assert "passed over: unknown" in caplog.text
    owner.dispose()
    processes.dispose()


@pytest.mark.parametrize("make", [make_v2, make_additions])
def test_of_an_adopted_platform_nothing_is_altered_and_nothing_stays(
    empty_database: str, make: Callable[[str], None]
) -> None:
    make(empty_database)
    before, kind = public(empty_database), recognised(empty_database)

    migrate.upgrade(empty_database)
    assert without_the_fleet(public(empty_database)) == before
    migrate.upgrade(empty_database)

    assert removal.remove(empty_database, quiet)
    assert public(empty_database) == before
    assert recognised(empty_database) == kind
    assert fleets(empty_database) == 0
    assert not removal.remove(empty_database, quiet)
    migrate.upgrade(empty_database)


def test_from_version_1_the_catalogue_is_that_of_version_2(empty_database: str) -> None:
    make_v1(empty_database)
    with ThreadPoolExecutor(2) as pool:
        reports = [
            each.result(120) for each in [pool.submit(migrate.upgrade, empty_database) for _ in range(2)]
        ]

    assert sum(report is not None for report in reports) == 1
    assert recognised(empty_database).kind is Kind.V2_MANAGED
    # What is built from v1 is hardened from the start; without that it is v2 to the letter.
    engine = make_engine(empty_database, pool_size=1)
    with engine.begin() as connection:
        assert soften(connection)
    engine.dispose()
    assert catalog.differences(load("v2"), without_the_fleet(public(empty_database))) == []


def test_two_at_once_adopt_once(empty_database: str) -> None:
    make_v2(empty_database)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(migrate.upgrade, empty_database) for _ in range(2)]:
            each.result(60)
    assert recognised(empty_database).revision == revisions.known()[-1]


def test_an_upgrade_from_version_1_that_ended_before_its_last_word_is_taken_up(empty_database: str) -> None:
    make_v1(empty_database)
    migrate.upgrade(empty_database, "0001_platform_v2")
    execute(empty_database, "delete from fleet.schema_version")
    assert recognised(empty_database).interrupted

    assert migrate.upgrade(empty_database)
    assert recognised(empty_database).kind is Kind.V2_MANAGED


def test_the_printed_sql_does_the_same(empty_database: str) -> None:
    make_v2(empty_database)
    before = public(empty_database)
    execute(empty_database, migrate.script(recognised(empty_database)))
    assert recognised(empty_database).revision == revisions.known()[-1]
    assert without_the_fleet(public(empty_database)) == before
    assert removal.remove(empty_database, quiet)


def test_the_printed_sql_builds_an_empty_database(empty_database: str) -> None:
    execute(empty_database, migrate.script(recognised(empty_database)))
    assert recognised(empty_database).kind is Kind.V2_MANAGED


def test_writers_go_on_while_the_upgrade_waits_for_one_of_them(empty_database: str) -> None:
    make_v2(empty_database)
    waiting, waits = threading.Event(), list[float]()

    def told(what: str, _done: int, _of: int) -> None:
        if what.startswith("waiting"):
            waiting.set()

    def upgrade() -> None:
        migrate.upgrade(empty_database, progress=told)

    with (
        psycopg.connect(dsn(empty_database)) as slow,
        psycopg.connect(dsn(empty_database), autocommit=True) as writer,
    ):
        slow.execute(EVENT)
        with side_by_side(upgrade):
            assert waiting.wait(20)
            end = time.monotonic() + 2
            while time.monotonic() < end:
                began = time.monotonic()
                writer.execute(EVENT)
                waits.append(time.monotonic() - began)
            slow.commit()
    assert max(waits) < 1.5
    assert recognised(empty_database).revision == revisions.known()[-1]


def test_who_never_gets_the_lock_is_told_who_holds_it(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_v2(empty_database)
    monkeypatch.setattr(locks, "TRIES", 2)
    monkeypatch.setenv("DATABASE_URL", empty_database)
    with psycopg.connect(dsn(empty_database), application_name="nightly-report") as slow:
        slow.execute("lock table events in row exclusive mode")
        told = CliRunner().invoke(fleet, ["db", "upgrade"])
    assert told.exit_code == 1
    assert "nightly-report" in told.stderr
    assert "nothing was changed" in told.stderr
    assert recognised(empty_database).kind is Kind.V2_UNMANAGED


def test_an_upgrade_whose_connection_is_cut_leaves_nothing_and_is_run_again(empty_database: str) -> None:
    make_v2(empty_database)
    with (
        psycopg.connect(dsn(empty_database)) as slow,
        psycopg.connect(dsn(empty_database), autocommit=True) as other,
    ):
        slow.execute("lock table events in row exclusive mode")

        def cut() -> bool:
            ended = other.execute(
                "select pg_terminate_backend(l.pid) from pg_locks l join pg_class c on c.oid = l.relation"
                " where c.relname = 'events' and not l.granted"
                " and l.database = (select oid from pg_database where datname = current_database())"
            ).fetchall()
            return bool(ended)

        with ThreadPoolExecutor(1) as pool:
            upgrade = pool.submit(migrate.upgrade, empty_database)
            wait_for(cut)
            with pytest.raises(OperationalError):
                upgrade.result(20)
    assert fleets(empty_database) == 0
    migrate.upgrade(empty_database)


@pytest.mark.parametrize("make", [make_v2, make_additions])
def test_a_kill_of_the_adoption_costs_nothing(empty_database: str, make: Callable[[str], None]) -> None:
    make(empty_database)
    kills.populate(empty_database)
    migrate.upgrade(empty_database)
    led_to = kills.state(empty_database)
    assert removal.remove(empty_database, quiet)

    assert kills.kill(empty_database, (0.4, 0.6, 0.8)) == 3
    migrate.upgrade(empty_database)
    assert kills.state(empty_database) == led_to


def test_the_command_takes_the_fleet_off_after_asking(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_v2(empty_database)
    migrate.upgrade(empty_database)
    execute(
        empty_database,
        EVENT,
    )
    monkeypatch.setenv("DATABASE_URL", empty_database)

    told = CliRunner().invoke(fleet, ["db", "downgrade"], input="n\n")
    assert told.exit_code == 1
    assert "1 events not yet fanned out" in told.stderr
    assert recognised(empty_database).revision

    told = CliRunner().invoke(fleet, ["db", "downgrade", "--yes"])
    assert told.exit_code == 0, told.output
    assert "v2 unmanaged" in told.stdout
    assert fleets(empty_database) == 0
    assert CliRunner().invoke(fleet, ["db", "downgrade", "--yes"]).exit_code == 0


def test_what_others_have_hung_onto_the_fleet_stops_its_removal(
    owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fleets(owner_url)
    execute(owner_url, "create view public.backlog as select * from fleet.outbox")
    monkeypatch.setenv("DATABASE_URL", owner_url)
    told = CliRunner().invoke(fleet, ["db", "downgrade", "--yes"])
    assert told.exit_code == 1
    assert "view backlog" in told.stderr
    assert fleets(owner_url) == before


@pytest.mark.parametrize(("to", "code"), [("base", 1), ("0999_later", 2)])
def test_the_platforms_rows_are_never_dropped(
    owner_url: str, monkeypatch: pytest.MonkeyPatch, to: str, code: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", owner_url)
    assert CliRunner().invoke(fleet, ["db", "downgrade", to, "--yes"]).exit_code == code
    assert recognised(owner_url).kind is Kind.V2_MANAGED
