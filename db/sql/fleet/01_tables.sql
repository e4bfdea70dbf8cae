-- What is the fleet's alone. The platform's HTTP API does not expose this schema.
revoke all on schema fleet from public;

-- When the fleet was put on this database: what is older is the application's own past and is left alone.
create table fleet.installation (
  only_row     boolean     primary key default true,
  installed_at timestamptz not null default now(),
  constraint one_row check (only_row)
);
insert into fleet.installation default values;

-- An event to fan out: from the insert trigger on events to the fan-out's commit.
create table fleet.outbox (
  event_id    uuid        primary key,
  enqueued_at timestamptz not null default now(),
  due_at      timestamptz not null default now(),
  tries       integer     not null default 0,
  last_error  text,
  parked_at   timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index outbox_due on fleet.outbox (due_at) where parked_at is null;

-- What became of an event: the mark that it was fanned out, and why if nobody was told.
create table fleet.fanouts (
  event_id      uuid        primary key,
  fanned_out_at timestamptz not null default now(),
  outcome       text        not null,
  reason        text,
  constraint known_outcome check (outcome in ('NOTIFIED', 'APPLICATION', 'PASSED_OVER')),
  constraint silence_has_a_reason check (outcome = 'NOTIFIED' or reason is not null)
);

-- One notification per (event, person, template), whoever wrote it.
create table fleet.announcements (
  event_id        uuid        not null,
  user_id         uuid        not null,
  template_code   text        not null,
  notification_id uuid        not null,
  announced_by    text        not null,
  primary key (event_id, user_id, template_code),
  constraint known_author check (announced_by in ('FLEET', 'APPLICATION'))
);
create index announcements_notification on fleet.announcements (notification_id);

-- One delivery per (notification, channel): the first one inserted holds the place.
create table fleet.delivery_places (
  notification_id uuid not null,
  channel         text not null,
  delivery_id     uuid not null,
  primary key (notification_id, channel)
);

-- A delivery to send: from the insert trigger on notification_deliveries to its last word.
create table fleet.dispatch (
  delivery_id uuid        primary key,
  channel     text        not null,
  enqueued_at timestamptz not null default now(),
  due_at      timestamptz not null default now(),
  lease_until timestamptz,
  tries       integer     not null default 0,
  last_code   text,
  parked_at   timestamptz
-- Every row is updated a few times and deleted: updates stay on their page, and vacuum comes by the count of
-- dead rows, not by a share of the table.
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- What is due lies together at the head, whatever else waits: a claim costs the same at any size.
create index dispatch_due on fleet.dispatch (channel, due_at) where parked_at is null;

-- One try at one delivery. Open while its outcome is unknown.
create table fleet.attempts (
  token               uuid        primary key default gen_random_uuid(),
  delivery_id         uuid        not null,
  number              integer     not null,
  channel             text        not null,
  provider            text        not null,
  opened_at           timestamptz not null default now(),
  closed_at           timestamptz,
  outcome             text,
  evidence            text,
  code                text,
  message             text,
  provider_message_id text,
  unique (delivery_id, number),
  constraint known_outcome check (outcome in ('ACCEPTED', 'REFUSED', 'DEFERRED', 'NO_EVIDENCE', 'NOT_SENT')),
  constraint known_evidence check (evidence in ('ANSWER', 'CALLBACK', 'NONE')),
  constraint closed_with_an_outcome check ((closed_at is null) = (outcome is null)),
  constraint accepted_with_an_id check (outcome <> 'ACCEPTED' or provider_message_id is not null)
);
-- Never two sends of one delivery at a time, by construction.
create unique index attempts_one_open on fleet.attempts (delivery_id) where closed_at is null;

-- A channel that is not worked off for now, and why.
create table fleet.channels (
  channel      text        primary key,
  kind         text        not null,
  code         text        not null,
  detail       text        not null,
  paused_at    timestamptz not null default now(),
  paused_until timestamptz not null,
  strikes      integer     not null default 1,
  constraint known_kind check (kind in ('RATE_LIMITED', 'MISCONFIGURED'))
);

-- One callback of a provider, raw, under the provider's own id.
create table fleet.inbox (
  provider    text        not null,
  callback_id text        not null,
  received_at timestamptz not null default now(),
  body        jsonb       not null,
  due_at      timestamptz not null default now(),
  tries       integer     not null default 0,
  last_error  text,
  handled_at  timestamptz,
  handled_as  text,
  parked_at   timestamptz,
  primary key (provider, callback_id),
  constraint handled_with_an_outcome check ((handled_at is null) = (handled_as is null))
);
create index inbox_due on fleet.inbox (due_at) where handled_at is null and parked_at is null;
create index inbox_attempt on fleet.inbox ((body ->> 'attempt'));
