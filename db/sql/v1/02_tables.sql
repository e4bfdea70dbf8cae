-- What deletes cascade along, and what numbers a document's versions: v1 has no index but its primary keys.
-- @alone

create index concurrently if not exists idx_step_instances_dossier_id on step_instances (dossier_id);

create index concurrently if not exists idx_dossier_status_history_dossier_id
  on dossier_status_history (dossier_id);

create index concurrently if not exists idx_messages_dossier_id on messages (dossier_id);

create index concurrently if not exists idx_documents_dossier_id on documents (dossier_id);

create index concurrently if not exists idx_document_versions_document_id on document_versions (document_id);

create index concurrently if not exists idx_document_reviews_document_version_id
  on document_reviews (document_version_id);

create index concurrently if not exists idx_notifications_dossier_id on notifications (dossier_id);

create index concurrently if not exists idx_notification_deliveries_notification_id
  on notification_deliveries (notification_id);

-- Tools of the upgrade, gone at its end.
-- @transaction

-- Adds a constraint that is not there yet, enforced for new rows at once; the old ones are validated later.
create or replace function fleet.v1_add(p_table regclass, p_name text, p_definition text) returns void
language plpgsql as $$
begin
  if not exists (select from pg_constraint where conrelid = p_table and conname = p_name) then
    execute format('alter table %s add constraint %I %s not valid', p_table, p_name, p_definition);
  end if;
end;
$$;

-- A check that later lets the column become NOT NULL without a scan under lock.
create or replace function fleet.v1_require(p_table regclass, variadic p_columns text[]) returns void
language plpgsql as $$
declare
  v_column text;
begin
  foreach v_column in array p_columns loop
    if exists (
      select from pg_attribute where attrelid = p_table and attname = v_column and not attnotnull
    ) then
      perform fleet.v1_add(p_table, 'v1_require_' || v_column, format('check (%I is not null)', v_column));
    end if;
  end loop;
end;
$$;

-- Who an id is: nobody known is the system, whoever is no agent is a user.
create or replace function fleet.v1_actor(p_id uuid) returns actor_type
language sql stable as $$
  select case
    when p_id is null or p_id = '00000000-0000-0000-0000-000000000000' then 'SYSTEM'
    when exists (select from public.agents where id = p_id) then 'AGENT'
    else 'USER'
  end::actor_type
$$;

-- Auth's columns differ from place to place; one that is not there is null.
create or replace function fleet.v1_user(p_id uuid) returns jsonb
language sql stable as $$
  select to_jsonb(u) from auth.users u where u.id = p_id
$$;

-- Keeps what a value was before a rule filled it, for the way back. What it became is kept as a digest, so that
-- nobody's address lies here; it tells later whether somebody has changed the value since.
-- In plpgsql, which keeps its plan from row to row, and into a table without an index: there are as many rows as
-- values that v1 lacked.
create or replace function fleet.v1_keep(p_table text, p_was jsonb, p_new jsonb, variadic p_columns text[])
returns void language plpgsql as $$
begin
  insert into fleet.v1_filled (table_name, column_name, id, was, became)
  select p_table, c, (p_new ->> 'id')::uuid, p_was ->> c, md5((p_new ->> 'id') || case
    when c like '%\_at' then extract(epoch from (p_new ->> c)::timestamptz)::text
    else p_new ->> c
  end)
  from unnest(p_columns) c
  where p_was -> c is distinct from p_new -> c;
end;
$$;

-- From here on, one block per table: its columns, then the rule for each value that v2 wants and v1 lacks.
-- The rule is a trigger: it fills what the old application goes on writing, and the old rows when the
-- backfill touches them.
-- @locking profiles

alter table profiles
  -- Who is there already has paid: the default is PENDING only when the upgrade is over.
  add column if not exists status user_status not null default 'ACTIVE',
  add column if not exists stripe_customer_id text,
  add column if not exists updated_at timestamptz;

create or replace function fleet.v1_fill_profiles() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was profiles := new;
begin
  if new.created_at is null then
    new.created_at := coalesce((fleet.v1_user(new.id) ->> 'created_at')::timestamptz, now());
  end if;
  new.updated_at := coalesce(new.updated_at, new.created_at);
  if v_was.created_at is distinct from new.created_at then
    perform fleet.v1_keep('profiles', to_jsonb(v_was), to_jsonb(new), 'created_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on profiles
  for each row execute function fleet.v1_fill_profiles();

select fleet.v1_require('profiles', 'created_at', 'updated_at');

-- @locking agents

alter table agents
  add column if not exists active boolean not null default true,
  add column if not exists updated_at timestamptz;

create or replace function fleet.v1_fill_agents() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was agents := new;
begin
  new.name := coalesce(new.name, nullif(split_part(new.email, '@', 1), ''), new.email);
  new.created_at := coalesce(new.created_at, now());
  new.updated_at := coalesce(new.updated_at, new.created_at);
  if (v_was.name, v_was.created_at) is distinct from (new.name, new.created_at) then
    perform fleet.v1_keep('agents', to_jsonb(v_was), to_jsonb(new), 'name', 'created_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on agents
  for each row execute function fleet.v1_fill_agents();

select fleet.v1_require('agents', 'name', 'created_at', 'updated_at');

-- @locking steps

alter table steps
  add column if not exists description text,
  add column if not exists created_at timestamptz not null default now();

create or replace function fleet.v1_fill_steps() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was steps := new;
begin
  new.label := coalesce(new.label, new.code);
  if v_was.label is distinct from new.label then
    perform fleet.v1_keep('steps', to_jsonb(v_was), to_jsonb(new), 'label');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on steps
  for each row execute function fleet.v1_fill_steps();

-- The lowest becomes 0, and the order stays.
select fleet.v1_keep(
  'steps', to_jsonb(steps), to_jsonb(steps) || jsonb_build_object('position', position - lowest), 'position'
)
from steps, (select min(position) as lowest from steps) as positions
where lowest < 0;

update steps
set position = position - (select min(position) from steps)
where (select min(position) from steps) < 0;

select fleet.v1_require('steps', 'label');
select fleet.v1_add('steps', 'position_positive', 'check (position >= 0)');

-- @locking document_types

alter table document_types
  add column if not exists description text,
  add column if not exists max_file_size_mb integer default 10,
  add column if not exists allowed_extensions text[] default array['pdf', 'jpg', 'png'],
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now();

create or replace function fleet.v1_fill_document_types() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was document_types := new;
begin
  new.label := coalesce(new.label, new.code);
  if v_was.label is distinct from new.label then
    perform fleet.v1_keep('document_types', to_jsonb(v_was), to_jsonb(new), 'label');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on document_types
  for each row execute function fleet.v1_fill_document_types();

select fleet.v1_require('document_types', 'label');

-- @locking dossiers

alter table dossiers
  add column if not exists product_id uuid,
  add column if not exists current_step_instance_id uuid,
  add column if not exists metadata jsonb default '{}',
  add column if not exists completed_at timestamptz;

create or replace function fleet.v1_fill_dossiers() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was dossiers := new;
begin
  new.created_at := coalesce(new.created_at, new.updated_at, now());
  new.updated_at := coalesce(new.updated_at, new.created_at);
  if tg_op = 'INSERT' or new.current_step_id is distinct from old.current_step_id then
    new.current_step_instance_id := (
      select id from step_instances where dossier_id = new.id and step_id = new.current_step_id limit 1
    );
  end if;
  if (v_was.created_at, v_was.updated_at) is distinct from (new.created_at, new.updated_at) then
    perform fleet.v1_keep('dossiers', to_jsonb(v_was), to_jsonb(new), 'created_at', 'updated_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on dossiers
  for each row execute function fleet.v1_fill_dossiers();

select fleet.v1_require('dossiers', 'user_id', 'created_at', 'updated_at');
select fleet.v1_add(
  'dossiers', 'completed_at_after_creation', 'check (completed_at is null or completed_at >= created_at)'
);

-- @locking dossiers, step_instances

alter table step_instances
  add column if not exists assigned_to uuid,
  add column if not exists created_at timestamptz,
  add column if not exists metadata jsonb default '{}';
alter table step_instances alter column created_at set default now();

create or replace function fleet.v1_fill_step_instances() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was step_instances := new;
begin
  if new.completed_at < new.started_at then
    new.metadata := coalesce(new.metadata, '{}') || jsonb_build_object('v1_started_at', new.started_at);
    new.started_at := new.completed_at;
  end if;
  if new.created_at is null then
    new.created_at := coalesce(
      new.started_at, new.completed_at, (select created_at from dossiers where id = new.dossier_id), now()
    );
  end if;
  -- What the upgrade made for want of one gives way to the application's own.
  if tg_op = 'INSERT' and not new.metadata ? 'made_by_upgrade' then
    delete from step_instances
    where dossier_id = new.dossier_id and step_id = new.step_id and metadata ? 'made_by_upgrade';
  end if;
  if v_was.started_at is distinct from new.started_at then
    perform fleet.v1_keep('step_instances', to_jsonb(v_was), to_jsonb(new), 'started_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on step_instances
  for each row execute function fleet.v1_fill_step_instances();

create or replace function fleet.v1_link_step_instance() returns trigger
language plpgsql security definer set search_path = public as $$
begin
  update dossiers set current_step_instance_id = new.id
  where id = new.dossier_id and current_step_id = new.step_id;
  return null;
end;
$$;

create or replace trigger v1_link after insert on step_instances
  for each row execute function fleet.v1_link_step_instance();

select fleet.v1_require('step_instances', 'dossier_id', 'step_id', 'created_at');
select fleet.v1_add(
  'step_instances', 'completed_after_started', 'check (completed_at is null or completed_at >= started_at)'
);

-- @locking dossier_status_history

alter table dossier_status_history
  add column if not exists old_status dossier_status_code,
  add column if not exists changed_by_type actor_type,
  add column if not exists metadata jsonb default '{}';

-- Who is not known stays unknown: v2 lets it be null.
create or replace function fleet.v1_fill_dossier_status_history() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was dossier_status_history := new;
begin
  new.created_at := coalesce(new.created_at, now());
  if new.changed_by is not null and new.changed_by_type is null then
    new.changed_by_type := fleet.v1_actor(new.changed_by);
  end if;
  if v_was.created_at is distinct from new.created_at then
    perform fleet.v1_keep('dossier_status_history', to_jsonb(v_was), to_jsonb(new), 'created_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on dossier_status_history
  for each row execute function fleet.v1_fill_dossier_status_history();

select fleet.v1_require('dossier_status_history', 'dossier_id', 'created_at');

-- @locking messages

alter table messages
  add column if not exists sender_type actor_type,
  add column if not exists attachments jsonb default '[]',
  add column if not exists read_at timestamptz;

create or replace function fleet.v1_fill_messages() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was messages := new;
begin
  new.created_at := coalesce(new.created_at, now());
  new.sender_type := coalesce(new.sender_type, fleet.v1_actor(new.sender_id));
  new.sender_id := coalesce(new.sender_id, '00000000-0000-0000-0000-000000000000');
  if (v_was.sender_id, v_was.created_at) is distinct from (new.sender_id, new.created_at) then
    perform fleet.v1_keep('messages', to_jsonb(v_was), to_jsonb(new), 'sender_id', 'created_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on messages
  for each row execute function fleet.v1_fill_messages();

select fleet.v1_require('messages', 'dossier_id', 'sender_type', 'sender_id', 'created_at');
select fleet.v1_add('messages', 'content_not_empty', 'check (length(trim(content)) > 0)');

-- @locking documents

alter table documents
  add column if not exists step_instance_id uuid,
  add column if not exists current_version_id uuid,
  add column if not exists updated_at timestamptz;

create or replace function fleet.v1_fill_documents() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was documents := new;
begin
  new.status := coalesce(new.status, 'PENDING');
  if new.created_at is null then
    new.created_at := coalesce((select created_at from dossiers where id = new.dossier_id), now());
  end if;
  new.updated_at := coalesce(new.updated_at, new.created_at);
  if new.document_type_id is null then
    insert into document_types (id, code, label, description)
    values (
      '00000000-0000-0000-0000-000000000000', 'UNKNOWN', 'Unknown',
      'Documents whose type nobody had noted when the database was upgraded.'
    )
    on conflict do nothing;
    select id into new.document_type_id from document_types where code = 'UNKNOWN';
  end if;
  if (v_was.document_type_id, v_was.status, v_was.created_at)
    is distinct from (new.document_type_id, new.status, new.created_at)
  then
    perform fleet.v1_keep(
      'documents', to_jsonb(v_was), to_jsonb(new), 'document_type_id', 'status', 'created_at'
    );
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on documents
  for each row execute function fleet.v1_fill_documents();

select fleet.v1_require('documents', 'dossier_id', 'document_type_id', 'status', 'created_at', 'updated_at');

-- @locking documents, document_versions

alter table document_versions
  add column if not exists file_name text,
  add column if not exists file_size_bytes bigint,
  add column if not exists mime_type text,
  add column if not exists uploaded_by_type actor_type,
  add column if not exists version_number integer;

create or replace function fleet.v1_fill_document_versions() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was document_versions := new;
begin
  new.uploaded_by_type := coalesce(new.uploaded_by_type, fleet.v1_actor(new.uploaded_by));
  new.uploaded_by := coalesce(new.uploaded_by, '00000000-0000-0000-0000-000000000000');
  if new.uploaded_at is null then
    new.uploaded_at := coalesce((select created_at from documents where id = new.document_id), now());
  end if;
  if tg_op = 'INSERT' then
    -- One after the other within a document. While older ones wait for their numbers, this one does too.
    perform from documents where id = new.document_id for no key update;
    select case when count(*) = count(version_number) then coalesce(max(version_number), 0) + 1 end
    into new.version_number
    from document_versions
    where document_id = new.document_id;
  end if;
  if (v_was.uploaded_by, v_was.uploaded_at) is distinct from (new.uploaded_by, new.uploaded_at) then
    perform fleet.v1_keep('document_versions', to_jsonb(v_was), to_jsonb(new), 'uploaded_by', 'uploaded_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on document_versions
  for each row execute function fleet.v1_fill_document_versions();

create or replace function fleet.v1_link_document_version() returns trigger
language plpgsql security definer set search_path = public as $$
begin
  update documents set current_version_id = new.id where id = new.document_id;
  return null;
end;
$$;

create or replace trigger v1_link after insert on document_versions
  for each row when (new.version_number is not null) execute function fleet.v1_link_document_version();

select fleet.v1_require('document_versions', 'document_id', 'uploaded_by_type', 'uploaded_by', 'uploaded_at');
select fleet.v1_add('document_versions', 'version_number_positive', 'check (version_number > 0)');
select fleet.v1_add(
  'document_versions', 'file_size_positive', 'check (file_size_bytes is null or file_size_bytes > 0)'
);

-- @locking document_reviews

alter table document_reviews
  add column if not exists notes text;

create or replace function fleet.v1_fill_document_reviews() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was document_reviews := new;
begin
  if new.reviewed_at is null then
    new.reviewed_at := coalesce(
      (select uploaded_at from document_versions where id = new.document_version_id), now()
    );
  end if;
  if new.reviewer_id is null then
    new.reviewer_id := '00000000-0000-0000-0000-000000000000';
    insert into agents (id, email, name, active)
    values (new.reviewer_id, 'system@upgrade.invalid', 'System', false)
    on conflict do nothing;
  end if;
  if (v_was.reviewer_id, v_was.reviewed_at) is distinct from (new.reviewer_id, new.reviewed_at) then
    perform fleet.v1_keep('document_reviews', to_jsonb(v_was), to_jsonb(new), 'reviewer_id', 'reviewed_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on document_reviews
  for each row execute function fleet.v1_fill_document_reviews();

select fleet.v1_require('document_reviews', 'document_version_id', 'reviewer_id', 'reviewed_at');

-- @locking events

alter table events
  add column if not exists actor_type actor_type,
  add column if not exists actor_id uuid;
alter table events alter column payload set default '{}';

create or replace function fleet.v1_fill_events() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was events := new;
begin
  new.created_at := coalesce(new.created_at, now());
  if v_was.created_at is distinct from new.created_at then
    perform fleet.v1_keep('events', to_jsonb(v_was), to_jsonb(new), 'created_at');
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on events
  for each row execute function fleet.v1_fill_events();

select fleet.v1_require('events', 'created_at');
select fleet.v1_add('events', 'entity_type_not_empty', 'check (length(trim(entity_type)) > 0)');

-- @locking notifications

alter table notifications
  add column if not exists event_id uuid,
  add column if not exists action_url text;
alter table notifications alter column payload set default '{}';

create or replace function fleet.v1_fill_notifications() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was notifications := new;
begin
  if new.user_id is null then
    new.user_id := (select user_id from dossiers where id = new.dossier_id);
  end if;
  new.title := coalesce(new.title, new.template_code, 'Notification');
  new.message := coalesce(new.message, new.title);
  new.created_at := coalesce(new.created_at, now());
  if (v_was.user_id, v_was.title, v_was.message, v_was.created_at)
    is distinct from (new.user_id, new.title, new.message, new.created_at)
  then
    perform fleet.v1_keep(
      'notifications', to_jsonb(v_was), to_jsonb(new), 'user_id', 'title', 'message', 'created_at'
    );
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on notifications
  for each row execute function fleet.v1_fill_notifications();

select fleet.v1_require('notifications', 'user_id', 'title', 'message', 'created_at');

-- @locking notification_deliveries

alter table notification_deliveries
  add column if not exists provider text,
  add column if not exists provider_message_id text,
  add column if not exists failed_at timestamptz;
alter table notification_deliveries alter column provider_response set default '{}';

create or replace function fleet.v1_fill_notification_deliveries() returns trigger
language plpgsql security definer set search_path = public as $$
declare
  v_was notification_deliveries := new;
  v_user uuid;
begin
  if new.status is null then
    new.status := case when new.sent_at is null then 'PENDING' else 'SENT' end::notification_status;
  end if;
  new.created_at := coalesce(new.created_at, new.sent_at, now());
  if length(trim(coalesce(new.recipient, ''))) = 0 then
    select coalesce(n.user_id, d.user_id) into v_user
    from notifications n
    left join dossiers d on d.id = n.dossier_id
    where n.id = new.notification_id;

    new.recipient := coalesce(
      nullif(trim(case
        when new.channel = 'EMAIL' then fleet.v1_user(v_user) ->> 'email'
        when new.channel in ('SMS', 'WHATSAPP') then (select phone from profiles where id = v_user)
      end), ''),
      v_user::text,
      'unknown'
    );
  end if;
  if (v_was.recipient, v_was.status, v_was.created_at)
    is distinct from (new.recipient, new.status, new.created_at)
  then
    perform fleet.v1_keep(
      'notification_deliveries', to_jsonb(v_was), to_jsonb(new), 'recipient', 'status', 'created_at'
    );
  end if;
  return new;
end;
$$;

create or replace trigger v1_fill before insert or update on notification_deliveries
  for each row execute function fleet.v1_fill_notification_deliveries();

select fleet.v1_require('notification_deliveries', 'notification_id', 'recipient', 'status', 'created_at');
select fleet.v1_add(
  'notification_deliveries', 'recipient_not_empty', 'check (length(trim(recipient)) > 0)'
);
