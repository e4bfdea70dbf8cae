"""The platform's databases as they are found in the world."""

from __future__ import annotations

from pathlib import Path

from db import catalog, migrate
from db.engine import make_engine
from db.recognise import Recognition, recognise
from tests.notifications.pipeline import execute

# A live platform that has moved on.
ADDITIONS = (
    "alter table public.notifications add column priority text not null default 'NORMAL'",
    "alter table public.notifications add column position bigint generated always as identity",
    "alter table public.events add column source text not null default 'APP'",
    "alter table public.notification_deliveries add column cost numeric not null default 0",
    "alter type public.event_type add value 'DOSSIER_ARCHIVED'",
    "alter type public.notification_channel add value 'TELEGRAM' before 'SMS'",
    "alter table public.dossiers alter column user_id drop not null",
    "create table public.offices (id uuid primary key)",
    "create index idx_events_payload on public.events using gin (payload)",
    'create policy "Agents see all" on public.dossiers for select using (true)',
    """
    create function public.add_email() returns trigger language plpgsql security definer as $$
    begin
      insert into public.notification_deliveries (notification_id, channel, recipient)
        select new.id, 'EMAIL', email from auth.users where id = new.user_id;
      return null;
    end
    $$
    """,
    """
    create trigger add_email after insert on public.notifications
      for each row execute function public.add_email()
    """,
)


def recognised(url: str) -> Recognition:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return recognise(connection)
    finally:
        engine.dispose()


def public(url: str) -> catalog.Catalog:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return catalog.read(connection)
    finally:
        engine.dispose()


def make_v2(url: str) -> None:
    """Built from the platform's own script: no trace of the fleet."""
    migrate.upgrade(url, "0001_platform_v2")
    execute(url, "drop schema fleet cascade")


def make_v1(url: str) -> None:
    execute(url, (Path(__file__).parents[1] / "v1" / "v1.sql").read_text("utf-8"))
