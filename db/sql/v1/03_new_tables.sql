-- The foreign keys lock the tables that they point to.
-- @locking profiles, agents, steps, step_instances, dossiers

create table if not exists products (
  id uuid primary key default gen_random_uuid(),
  code text not null unique,
  name text not null,
  description text,
  dossier_type dossier_type not null,
  stripe_product_id text unique,
  stripe_price_id text,
  price_amount integer not null,
  currency text not null default 'USD',
  initial_status dossier_status_code not null default 'QUALIFICATION',
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint price_amount_positive check (price_amount >= 0)
);

create table if not exists product_steps (
  id uuid primary key default gen_random_uuid(),
  product_id uuid not null references products (id) on delete cascade,
  step_id uuid not null references steps (id) on delete cascade,
  position integer not null,
  is_required boolean not null default true,
  estimated_duration_hours integer,
  created_at timestamptz not null default now(),
  unique (product_id, step_id),
  unique (product_id, position),
  constraint position_positive check (position >= 0)
);

create table if not exists step_fields (
  id uuid primary key default gen_random_uuid(),
  step_id uuid not null references steps (id) on delete cascade,
  field_key text not null,
  label text not null,
  description text,
  placeholder text,
  field_type text not null,
  is_required boolean not null default false,
  min_length integer,
  max_length integer,
  min_value numeric,
  max_value numeric,
  pattern text,
  options jsonb default '[]',
  help_text text,
  default_value text,
  position integer not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (step_id, field_key),
  unique (step_id, position),
  constraint field_key_format check (field_key ~ '^[a-z][a-z0-9_]*$'),
  constraint position_positive check (position >= 0)
);

create table if not exists step_field_values (
  id uuid primary key default gen_random_uuid(),
  step_instance_id uuid not null references step_instances (id) on delete cascade,
  step_field_id uuid not null references step_fields (id) on delete restrict,
  value text,
  value_jsonb jsonb,
  file_url text,
  file_name text,
  file_size_bytes bigint,
  created_by_type actor_type not null,
  created_by_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (step_instance_id, step_field_id),
  constraint file_size_positive check (file_size_bytes is null or file_size_bytes > 0)
);

create table if not exists payment_links (
  id uuid primary key default gen_random_uuid(),
  token text not null unique,
  product_id uuid not null references products (id) on delete restrict,
  prospect_email text not null,
  prospect_name text,
  stripe_checkout_session_id text unique,
  created_by uuid references agents (id) on delete set null,
  expires_at timestamptz,
  used_at timestamptz,
  used_by uuid references profiles (id) on delete set null,
  created_at timestamptz not null default now(),
  constraint token_format check (length(token) >= 16),
  constraint expires_after_creation check (expires_at is null or expires_at > created_at)
);

-- Amounts are in the currency's smallest unit.
create table if not exists orders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references profiles (id) on delete cascade,
  product_id uuid not null references products (id) on delete restrict,
  payment_link_id uuid references payment_links (id) on delete set null,
  dossier_id uuid references dossiers (id) on delete set null,
  amount integer not null,
  currency text not null default 'USD',
  status order_status not null default 'PENDING',
  stripe_checkout_session_id text unique,
  stripe_payment_intent_id text unique,
  stripe_customer_id text,
  metadata jsonb default '{}',
  paid_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint amount_positive check (amount > 0)
);

create table if not exists payment_reminders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references profiles (id) on delete cascade,
  order_id uuid not null references orders (id) on delete cascade,
  sent_via notification_channel not null,
  sent_at timestamptz not null default now(),
  clicked_at timestamptz
);
