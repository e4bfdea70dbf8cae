-- The cut-over, in one transaction: until its commit the old application works, from then on the new one.
-- @locking profiles, agents, products, steps, step_fields, document_types, dossiers, step_instances, step_field_values, dossier_status_history, messages, documents, document_versions, document_reviews, orders, events, notifications, notification_deliveries

do $guard$
begin
  if exists (
    select from pg_attribute
    where attrelid = 'dossiers'::regclass and attname = 'current_step_id' and not attisdropped
  ) then
    -- What the old application wrote since the backfill.
    insert into step_instances (dossier_id, step_id, started_at, created_at, metadata)
    select d.id, d.current_step_id, d.updated_at, d.updated_at, '{"made_by_upgrade": true}'
    from dossiers d
    join steps s on s.id = d.current_step_id
    where d.current_step_instance_id is null
    on conflict do nothing;

    update dossiers d
    set current_step_instance_id = si.id
    from step_instances si
    where si.dossier_id = d.id and si.step_id = d.current_step_id and d.current_step_instance_id is null;

    insert into fleet.set_aside (table_name, "row", reason)
    select
      'dossiers.current_step_id',
      jsonb_build_object('id', id, 'current_step_id', current_step_id),
      'there is no such step'
    from dossiers
    where current_step_id is not null and current_step_instance_id is null;

    alter table dossiers drop column current_step_id;
    alter table dossier_status_history rename column status to new_status;
    alter table dossier_status_history rename column changed_by to changed_by_id;
    alter table document_versions rename column uploaded_by to uploaded_by_id;
  end if;
end
$guard$;

do $guard$
declare
  v_table regclass;
  v_key name;
begin
  foreach v_table in array array[
    'profiles', 'agents', 'steps', 'document_types', 'dossiers', 'step_instances', 'dossier_status_history',
    'messages', 'documents', 'document_versions', 'document_reviews', 'events', 'notifications',
    'notification_deliveries'
  ]::regclass[] loop
    execute format('drop trigger if exists v1_fill on %s', v_table);
    execute format('drop trigger if exists v1_link on %s', v_table);
  end loop;

  for v_table, v_key in
    select conrelid, conname from pg_constraint
    where conname like 'v2\_%' and connamespace = 'public'::regnamespace
  loop
    execute format('alter table %s drop constraint if exists %I', v_table, substr(v_key, 4));
    execute format('alter table %s rename constraint %I to %I', v_table, v_key, substr(v_key, 4));
  end loop;
end
$guard$;

alter table profiles
  alter column status set default 'PENDING',
  alter column updated_at set default now();
alter table agents alter column updated_at set default now();
alter table documents alter column updated_at set default now();
alter table document_versions alter column version_number set default 1;

create or replace function update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

create or replace function create_dossier_status_event() returns trigger language plpgsql as $$
begin
  if old.status is distinct from new.status then
    insert into events (entity_type, entity_id, event_type, payload)
    values (
      'dossier',
      new.id,
      'DOSSIER_STATUS_CHANGED',
      jsonb_build_object('old_status', old.status, 'new_status', new.status, 'dossier_type', new.type)
    );

    insert into dossier_status_history (dossier_id, old_status, new_status)
    values (new.id, old.status, new.status);
  end if;

  return new;
end;
$$;

create or replace function create_document_upload_event() returns trigger language plpgsql as $$
declare
  v_dossier_id uuid;
begin
  select dossier_id into v_dossier_id from documents where id = new.document_id;

  insert into events (entity_type, entity_id, event_type, payload)
  values (
    'document',
    new.document_id,
    'DOCUMENT_UPLOADED',
    jsonb_build_object(
      'version_id', new.id,
      'version_number', new.version_number,
      'file_name', new.file_name,
      'dossier_id', v_dossier_id,
      'uploaded_by_type', new.uploaded_by_type,
      'uploaded_by_id', new.uploaded_by_id
    )
  );

  return new;
end;
$$;

create or replace trigger update_profiles_updated_at before update on profiles
  for each row execute function update_updated_at_column();

create or replace trigger update_agents_updated_at before update on agents
  for each row execute function update_updated_at_column();

create or replace trigger update_products_updated_at before update on products
  for each row execute function update_updated_at_column();

create or replace trigger update_step_fields_updated_at before update on step_fields
  for each row execute function update_updated_at_column();

create or replace trigger update_document_types_updated_at before update on document_types
  for each row execute function update_updated_at_column();

create or replace trigger update_dossiers_updated_at before update on dossiers
  for each row execute function update_updated_at_column();

create or replace trigger update_step_field_values_updated_at before update on step_field_values
  for each row execute function update_updated_at_column();

create or replace trigger update_documents_updated_at before update on documents
  for each row execute function update_updated_at_column();

create or replace trigger update_orders_updated_at before update on orders
  for each row execute function update_updated_at_column();

create or replace trigger dossier_status_changed after update on dossiers
  for each row execute function create_dossier_status_event();

create or replace trigger document_version_created after insert on document_versions
  for each row execute function create_document_upload_event();
