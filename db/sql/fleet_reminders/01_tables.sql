-- A reminder of an unpaid order: claimed once under its number, whoever else claims.
create table fleet.reminders (
  order_id    uuid        not null,
  number      integer     not null,
  user_id     uuid        not null,
  last        boolean     not null default false,
  claimed_at  timestamptz not null,
  due_at      timestamptz not null,
  tries       integer     not null default 0,
  last_error  text,
  parked_at   timestamptz,
  state       text        not null default 'CLAIMED',
  reason      text,
  session_id  text,
  notice_id   uuid,
  token       text,
  amount      integer     not null,
  currency    text        not null,
  forced_by   text,
  forced_why  text,
  sent_at     timestamptz,
  clicked_at  timestamptz,
  paid_at     timestamptz,
  primary key (order_id, number),
  constraint known_state check (state in ('CLAIMED', 'SENT', 'SKIPPED')),
  constraint counted_from_one check (number >= 1),
  constraint forced_by_somebody check ((forced_by is null) = (forced_why is null))
);
create unique index reminders_token on fleet.reminders (token);
create unique index reminders_notice on fleet.reminders (notice_id);
create index reminders_due on fleet.reminders (due_at) where state = 'CLAIMED' and parked_at is null;
create index reminders_sent on fleet.reminders (sent_at);
create index reminders_person on fleet.reminders (user_id);

-- A Checkout Session that the fleet has made for an order: by a reminder, or by its link later on.
create table fleet.reminder_sessions (
  session_id text        primary key,
  order_id   uuid        not null,
  number     integer     not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index reminder_sessions_order on fleet.reminder_sessions (order_id, number);

-- An order that was given up after its last reminder, once.
create table fleet.cancellations (
  order_id     uuid        primary key,
  reminders    integer     not null,
  cancelled_at timestamptz not null
);
