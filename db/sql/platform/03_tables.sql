-- People ----------------------------------------------------------------------------------------------------

create table profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  full_name text,
  phone text,
  status user_status not null default 'PENDING',
  stripe_customer_id text unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table agents (
  id uuid primary key default gen_random_uuid(),
  email text not null unique,
  name text not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Catalogue: what is sold, and the steps that a sale goes through -------------------------------------------

create table products (
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

create table steps (
  id uuid primary key default gen_random_uuid(),
  code text not null unique,
  label text not null,
  description text,
  position integer not null,
  created_at timestamptz not null default now(),
  constraint position_positive check (position >= 0)
);

create table product_steps (
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

create table step_fields (
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

create table document_types (
  id uuid primary key default gen_random_uuid(),
  code text not null unique,
  label text not null,
  description text,
  required_step_id uuid references steps (id) on delete set null,
  max_file_size_mb integer default 10,
  allowed_extensions text[] default array['pdf', 'jpg', 'png'],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Dossiers: a client's case and its way through the steps ---------------------------------------------------

create table dossiers (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references profiles (id) on delete cascade,
  product_id uuid references products (id) on delete set null,
  type dossier_type not null,
  status dossier_status_code not null,
  current_step_instance_id uuid,
  metadata jsonb default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  completed_at timestamptz,
  constraint completed_at_after_creation check (completed_at is null or completed_at >= created_at)
);

create table step_instances (
  id uuid primary key default gen_random_uuid(),
  dossier_id uuid not null references dossiers (id) on delete cascade,
  step_id uuid not null references steps (id) on delete restrict,
  assigned_to uuid references agents (id) on delete set null,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  metadata jsonb default '{}',
  unique (dossier_id, step_id),
  constraint completed_after_started check (completed_at is null or completed_at >= started_at)
);

alter table dossiers
  add constraint fk_current_step_instance
  foreign key (current_step_instance_id) references step_instances (id) on delete set null;

create table step_field_values (
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

create table dossier_status_history (
  id uuid primary key default gen_random_uuid(),
  dossier_id uuid not null references dossiers (id) on delete cascade,
  old_status dossier_status_code,
  new_status dossier_status_code not null,
  changed_by_type actor_type,
  changed_by_id uuid,
  reason text,
  metadata jsonb default '{}',
  created_at timestamptz not null default now()
);

create table messages (
  id uuid primary key default gen_random_uuid(),
  dossier_id uuid not null references dossiers (id) on delete cascade,
  sender_type actor_type not null,
  sender_id uuid not null,
  content text not null,
  attachments jsonb default '[]',
  read_at timestamptz,
  created_at timestamptz not null default now(),
  constraint content_not_empty check (length(trim(content)) > 0)
);

-- Documents: what a client hands in, each version, and what an agent said of it -----------------------------

create table documents (
  id uuid primary key default gen_random_uuid(),
  dossier_id uuid not null references dossiers (id) on delete cascade,
  document_type_id uuid not null references document_types (id) on delete restrict,
  step_instance_id uuid references step_instances (id) on delete set null,
  status document_status not null default 'PENDING',
  current_version_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table document_versions (
  id uuid primary key default gen_random_uuid(),
  document_id uuid not null references documents (id) on delete cascade,
  file_url text not null,
  file_name text,
  file_size_bytes bigint,
  mime_type text,
  uploaded_by_type actor_type not null,
  uploaded_by_id uuid not null,
  version_number integer not null default 1,
  uploaded_at timestamptz not null default now(),
  unique (document_id, version_number),
  constraint version_number_positive check (version_number > 0),
  constraint file_size_positive check (file_size_bytes is null or file_size_bytes > 0)
);

alter table documents
  add constraint fk_current_version
  foreign key (current_version_id) references document_versions (id) on delete set null;

create table document_reviews (
  id uuid primary key default gen_random_uuid(),
  document_version_id uuid not null references document_versions (id) on delete cascade,
  reviewer_id uuid not null references agents (id) on delete restrict,
  status review_status not null,
  reason text,
  notes text,
  reviewed_at timestamptz not null default now()
);

-- Payments --------------------------------------------------------------------------------------------------

create table payment_links (
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
create table orders (
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

create table payment_reminders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references profiles (id) on delete cascade,
  order_id uuid not null references orders (id) on delete cascade,
  sent_via notification_channel not null,
  sent_at timestamptz not null default now(),
  clicked_at timestamptz
);

-- Events, and who is told of them ---------------------------------------------------------------------------

create table events (
  id uuid primary key default gen_random_uuid(),
  entity_type text not null,
  entity_id uuid not null,
  event_type event_type not null,
  actor_type actor_type,
  actor_id uuid,
  payload jsonb default '{}',
  created_at timestamptz not null default now(),
  constraint entity_type_not_empty check (length(trim(entity_type)) > 0)
);

create table notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references profiles (id) on delete cascade,
  dossier_id uuid references dossiers (id) on delete cascade,
  event_id uuid references events (id) on delete set null,
  title text not null,
  message text not null,
  template_code text,
  payload jsonb default '{}',
  action_url text,
  read_at timestamptz,
  created_at timestamptz not null default now()
);

create table notification_deliveries (
  id uuid primary key default gen_random_uuid(),
  notification_id uuid not null references notifications (id) on delete cascade,
  channel notification_channel not null,
  recipient text not null,
  status notification_status not null default 'PENDING',
  provider text,
  provider_message_id text,
  provider_response jsonb default '{}',
  sent_at timestamptz,
  failed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint recipient_not_empty check (length(trim(recipient)) > 0)
);
