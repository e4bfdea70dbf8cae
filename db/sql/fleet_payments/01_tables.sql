-- One settlement for each order: the keys that make a payment count once, and one session for one order.
create table fleet.settlements (
  order_id          uuid        primary key,
  session_id        text,
  payment_intent_id text,
  dossier_id        uuid,
  amount            integer     not null,
  currency          text        not null,
  learned           text        not null,
  settled_at        timestamptz not null default now(),
  constraint known_way check (learned in ('WEBHOOK', 'POLL', 'CHECK', 'HAND'))
);
create unique index settlements_session on fleet.settlements (session_id);
create unique index settlements_payment on fleet.settlements (payment_intent_id);
create unique index settlements_dossier on fleet.settlements (dossier_id);
create index settlements_time on fleet.settlements (settled_at);

-- What Stripe has said of a payment of an order. Only what it cannot take back moves: see the queries.
create table fleet.payments (
  payment_intent_id text        primary key,
  order_id          uuid        not null,
  session_id        text,
  status            text        not null,
  amount            integer     not null,
  currency          text        not null,
  refunded          integer     not null default 0,
  disputed          boolean     not null default false,
  created_at        timestamptz not null,
  seen_at           timestamptz not null
);
create index payments_order on fleet.payments (order_id);

-- A payment that failed, told once however often Stripe repeats it.
create table fleet.payment_failures (
  failure_key text        primary key,
  order_id    uuid        not null,
  code        text,
  failed_at   timestamptz not null
);
create index payment_failures_order on fleet.payment_failures (order_id);

-- What does not agree between the platform and Stripe, each once, and what was done about it.
create table fleet.findings (
  id          uuid        primary key default gen_random_uuid(),
  kind        text        not null,
  subject     text        not null,
  order_id    uuid,
  details     jsonb       not null default '{}',
  done        text        not null,
  found_at    timestamptz not null,
  seen_at     timestamptz not null,
  resolved_at timestamptz,
  resolved_by text,
  note        text,
  constraint resolved_by_somebody check ((resolved_at is null) = (resolved_by is null))
);
create unique index findings_once on fleet.findings (kind, subject);
create index findings_open on fleet.findings (found_at) where resolved_at is null;
create index findings_order on fleet.findings (order_id);

-- How far a sweep of Stripe's lists has come; the one under way has a window and its last page.
create table fleet.sweeps (
  name        text        primary key,
  swept_until timestamptz,
  since       timestamptz,
  until       timestamptz,
  page_after  text,
  lease_until timestamptz,
  pages       integer     not null default 0,
  finished_at timestamptz,
  constraint window_has_two_ends check ((since is null) = (until is null))
);

-- When a pending order's Checkout Session is to be looked at next; never again once it has ended.
create table fleet.session_checks (
  session_id  text        primary key,
  order_id    uuid        not null,
  due_at      timestamptz,
  lease_until timestamptz,
  checks      integer     not null default 0,
  last_state  text
);
create index session_checks_due on fleet.session_checks (due_at) where due_at is not null;
create index session_checks_order on fleet.session_checks (order_id);

-- Something to tell a person that no event of the platform's stands for.
create table fleet.notices (
  id              uuid        primary key default gen_random_uuid(),
  notice_key      text        not null,
  user_id         uuid        not null,
  template_code   text        not null,
  order_id        uuid,
  dossier_id      uuid,
  payload         jsonb       not null default '{}',
  action_url      text,
  enqueued_at     timestamptz not null default now(),
  due_at          timestamptz not null default now(),
  tries           integer     not null default 0,
  last_error      text,
  parked_at       timestamptz,
  told_at         timestamptz,
  notification_id uuid
);
create unique index notices_once on fleet.notices (notice_key);
create index notices_due on fleet.notices (due_at) where told_at is null and parked_at is null;
create index notices_person on fleet.notices (user_id);

-- A dossier of which a document was approved: does its step end?
create table fleet.advances (
  dossier_id  uuid        primary key,
  enqueued_at timestamptz not null default now(),
  due_at      timestamptz not null default now(),
  tries       integer     not null default 0,
  last_error  text,
  parked_at   timestamptz
);
create index advances_due on fleet.advances (due_at) where parked_at is null;

-- A step that the fleet has ended, once.
create table fleet.step_completions (
  step_instance_id uuid        primary key,
  dossier_id       uuid        not null,
  completed_at     timestamptz not null
);

-- An e-mail to somebody who has no account yet: a delivery without a notification, sent as any other.
create table fleet.letters (
  id                  uuid        primary key default gen_random_uuid(),
  payment_link_id     uuid        not null,
  template_code       text        not null,
  recipient           text        not null,
  recipient_name      text,
  locale              text,
  payload             jsonb       not null default '{}',
  action_url          text,
  status              text        not null default 'PENDING',
  provider            text,
  provider_message_id text,
  provider_response   jsonb,
  sent_at             timestamptz,
  failed_at           timestamptz,
  created_at          timestamptz not null default now(),
  constraint known_status check (status in ('PENDING', 'SENT', 'FAILED', 'BOUNCED'))
);
create unique index letters_once on fleet.letters (payment_link_id, template_code);
create index letters_recipient on fleet.letters (recipient);

-- Whether the provider has told it or had to be asked.
alter table fleet.inbox add column learned text not null default 'PUSHED'
  constraint known_way check (learned in ('PUSHED', 'POLLED'));
