-- Lower goes first: 1 urgent, 2 ordinary, 3 can wait.
alter table fleet.dispatch add column priority smallint not null default 2;
alter table fleet.dispatch add constraint known_priority check (priority in (1, 2, 3));
create index dispatch_due_by_priority on fleet.dispatch (channel, priority, due_at) where parked_at is null;
drop index fleet.dispatch_due;

-- What one accepted message came to cost, in parts and in money; the provider tells the price later.
alter table fleet.attempts add column segments integer;
alter table fleet.attempts add column price numeric(12, 6);
alter table fleet.attempts add column price_unit text;
alter table fleet.attempts add constraint priced_in_a_currency check ((price is null) = (price_unit is null));
alter table fleet.attempts drop constraint known_evidence;
alter table fleet.attempts add constraint known_evidence check (evidence in ('ANSWER', 'CALLBACK', 'LOOKUP', 'NONE'));
create index attempts_provider_message on fleet.attempts (provider, provider_message_id)
  where provider_message_id is not null;
create index attempts_opened on fleet.attempts (opened_at);

-- Why a channel is not worked off: its provider asks us to wait or we keep a limit of ours, our key is refused,
-- the provider keeps failing, or a person said so.
alter table fleet.channels drop constraint known_kind;
alter table fleet.channels add constraint known_kind
  check (kind in ('RATE_LIMITED', 'MISCONFIGURED', 'FAILING', 'BY_HAND'));

-- What a provider has said of one attempt's message, each thing at its first time: a set that only grows, so that
-- the order in which it was told makes no difference.
create table fleet.receipts (
  token       uuid        primary key references fleet.attempts (token) on delete cascade,
  delivery_id uuid        not null,
  state       text        not null,
  deferred_at  timestamptz,
  sent_at      timestamptz,
  delivered_at timestamptz,
  opened_at    timestamptz,
  clicked_at   timestamptz,
  failed_at    timestamptz,
  bounced_at   timestamptz,
  code        text,
  reason      text,
  updated_at  timestamptz not null default now(),
  constraint known_state
    check (state in ('DEFERRED', 'SENT', 'DELIVERED', 'OPENED', 'CLICKED', 'FAILED', 'BOUNCED')),
  constraint a_state_has_its_time check (
    case state
      when 'DEFERRED' then deferred_at when 'SENT' then sent_at when 'DELIVERED' then delivered_at
      when 'OPENED' then opened_at when 'CLICKED' then clicked_at when 'FAILED' then failed_at
      when 'BOUNCED' then bounced_at
    end is not null)
);
create index receipts_delivery on fleet.receipts (delivery_id);

-- A question to put to a provider later: what became of an accepted message and what it cost (STATUS), or whether
-- a message whose answer was lost exists (SEARCH).
create table fleet.lookups (
  token       uuid        primary key references fleet.attempts (token) on delete cascade,
  kind        text        not null,
  due_at      timestamptz not null,
  lease_until timestamptz,
  tries       integer     not null default 0,
  last_error  text,
  constraint known_kind check (kind in ('STATUS', 'SEARCH'))
);
create index lookups_due on fleet.lookups (due_at);

-- One channel gave way to another for a notification, once, and why.
create table fleet.fallbacks (
  notification_id  uuid        not null,
  from_channel     text        not null,
  to_channel       text        not null,
  from_delivery_id uuid,
  to_delivery_id   uuid,
  user_id          uuid        not null,
  reason           text        not null,
  code             text,
  decided_at       timestamptz not null default now(),
  primary key (notification_id, from_channel),
  constraint known_reason check (reason in ('REFUSED', 'FAILED', 'NOT_DELIVERED', 'HAS_NONE'))
);
create index fallbacks_person on fleet.fallbacks (user_id, decided_at);
create index fallbacks_decided on fleet.fallbacks (decided_at);

-- When a number last wrote to us: WhatsApp takes free text to it for a day after that.
create table fleet.conversations (
  channel         text        not null,
  address         text        not null,
  last_inbound_at timestamptz not null,
  primary key (channel, address)
);

-- Codes of providers that the tables of codes do not list; they were taken by the safe default.
create table fleet.unseen_codes (
  provider    text        not null,
  code        text        not null,
  taken_as    text        not null,
  seen        integer     not null default 1,
  first_seen  timestamptz not null default now(),
  last_seen   timestamptz not null default now(),
  last_token  uuid,
  primary key (provider, code)
);

-- What is parked is few, and is asked for by whoever looks at the queues.
create index inbox_parked on fleet.inbox (parked_at) where parked_at is not null and handled_at is null;

-- What a person did by hand, and why.
create table fleet.interventions (
  id       uuid        primary key default gen_random_uuid(),
  at       timestamptz not null default now(),
  who      text        not null,
  action   text        not null,
  why      text        not null,
  subject  uuid,
  details  jsonb       not null default '{}',
  constraint somebody check (btrim(who) <> ''),
  constraint some_reason check (btrim(why) <> '')
);
create index interventions_subject on fleet.interventions (subject) where subject is not null;
create index interventions_at on fleet.interventions (at);
