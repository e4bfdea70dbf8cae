-- What a person has said about being written to. Who has said nothing has no row.
create table fleet.preferences (
  user_id          uuid        primary key,
  locale           text,
  time_zone        text,
  prefers_sms      boolean     not null default false,
  refused_channels text[]      not null default '{}',
  opted_out        text[]      not null default '{}',
  quiet_from       time,
  quiet_to         time,
  updated_at       timestamptz not null default now(),
  constraint known_locale check (locale in ('fr', 'en')),
  constraint quiet_hours_have_two_ends check ((quiet_from is null) = (quiet_to is null)),
  constraint known_channels check (refused_channels <@ array['EMAIL', 'WHATSAPP', 'SMS', 'IN_APP', 'PUSH']),
  constraint known_categories check (opted_out <@ array['DOSSIER', 'PAYMENT', 'REMINDER', 'OTHER'])
);

-- An address that is not to be written to, why, and who said so. Lifted ones stay, for they are history.
create table fleet.suppressions (
  id         uuid        primary key default gen_random_uuid(),
  channel    text        not null,
  address    text        not null,
  reason     text        not null,
  source     text        not null,
  since      timestamptz not null default now(),
  lifted_at  timestamptz,
  lifted_by  text,
  lifted_why text,
  constraint known_channel check (channel in ('EMAIL', 'WHATSAPP', 'SMS')),
  constraint known_reason check (reason in ('STOP', 'HARD_BOUNCE', 'COMPLAINT', 'UNSUBSCRIBE', 'BY_HAND')),
  constraint lifted_by_somebody check ((lifted_at is null) = (lifted_by is null))
);
-- One of a kind at a time: whoever says it again changes nothing, and what one lifts another may uphold.
create unique index suppressions_in_force on fleet.suppressions (channel, address, reason)
  where lifted_at is null;
create index suppressions_address on fleet.suppressions (address);

-- A link on the fleet's own domain. The token is the key: nobody guesses it, and it leads nowhere else.
create table fleet.links (
  token            text        primary key,
  kind             text        not null,
  target           text        not null,
  user_id          uuid,
  notification_id  uuid,
  subject_id       uuid,
  created_at       timestamptz not null default now(),
  expires_at       timestamptz not null,
  clicks           integer     not null default 0,
  first_clicked_at timestamptz,
  last_clicked_at  timestamptz,
  constraint known_kind check (kind in ('SHORT', 'REMINDER')),
  constraint clicked_at_some_time check ((clicks = 0) = (first_clicked_at is null))
);
create unique index links_once on fleet.links (notification_id, target) where kind = 'SHORT';
create index links_person on fleet.links (user_id);
create index links_expiry on fleet.links (expires_at);

-- What was erased of a person, when and by whom; nothing of what it was.
create table fleet.erasures (
  id       uuid        primary key default gen_random_uuid(),
  user_id  uuid        not null,
  at       timestamptz not null default now(),
  who      text        not null,
  why      text        not null,
  redacted jsonb       not null
);
create index erasures_person on fleet.erasures (user_id);

-- What unsubscribe links are signed with: 244 random bits, made here and known to nobody else.
alter table fleet.installation add column link_key bytea not null
  default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
