create function update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

create function create_dossier_status_event() returns trigger language plpgsql as $$
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

create function create_document_upload_event() returns trigger language plpgsql as $$
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

-- The step after the dossier's current one, or its product's first; null after the last.
create function get_next_step_for_dossier(p_dossier_id uuid) returns uuid language plpgsql as $$
declare
  v_product_id uuid;
  v_current_position int;
  v_next_step_id uuid;
begin
  select d.product_id, ps.position
  into v_product_id, v_current_position
  from dossiers d
  left join step_instances si on si.id = d.current_step_instance_id
  left join product_steps ps on ps.step_id = si.step_id and ps.product_id = d.product_id
  where d.id = p_dossier_id;

  select ps.step_id into v_next_step_id
  from product_steps ps
  where ps.product_id = v_product_id
    and ps.position > coalesce(v_current_position, -1)
  order by ps.position
  limit 1;

  return v_next_step_id;
end;
$$;

-- Whether each document type that the step requires has an approved document; true where none is required.
create function are_step_documents_complete(p_step_instance_id uuid) returns boolean language plpgsql as $$
declare
  v_missing_count int;
begin
  select count(*)
  into v_missing_count
  from document_types dt
  join step_instances si on si.step_id = dt.required_step_id
  where si.id = p_step_instance_id
    and not exists (
      select 1
      from documents d
      where d.step_instance_id = si.id
        and d.document_type_id = dt.id
        and d.status = 'APPROVED'
    );

  return v_missing_count = 0;
end;
$$;

-- 128 bits as 32 hex digits. gen_random_bytes() would need pgcrypto; two random UUIDs hold 244 random bits,
-- and the hash spreads them over every digit.
create function generate_payment_link_token() returns text language plpgsql as $$
begin
  return left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32);
end;
$$;
