-- @transaction

-- The step after the dossier's current one, or its product's first; null after the last.
create or replace function get_next_step_for_dossier(p_dossier_id uuid) returns uuid language plpgsql as $$
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
create or replace function are_step_documents_complete(p_step_instance_id uuid) returns boolean language plpgsql as $$
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
create or replace function generate_payment_link_token() returns text language plpgsql as $$
begin
  return left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32);
end;
$$;

-- The tools of the upgrade.
drop function if exists fleet.v1_fill_profiles(), fleet.v1_fill_agents(), fleet.v1_fill_steps(),
  fleet.v1_fill_document_types(), fleet.v1_fill_dossiers(), fleet.v1_fill_step_instances(),
  fleet.v1_fill_dossier_status_history(), fleet.v1_fill_messages(), fleet.v1_fill_documents(),
  fleet.v1_fill_document_versions(), fleet.v1_fill_document_reviews(), fleet.v1_fill_events(),
  fleet.v1_fill_notifications(), fleet.v1_fill_notification_deliveries(), fleet.v1_link_step_instance(),
  fleet.v1_link_document_version(), fleet.v1_keep(text, jsonb, jsonb, text[]),
  fleet.v1_add(regclass, text, text),
  fleet.v1_require(regclass, text[]), fleet.v1_user(uuid);
-- Its result is a type of the platform's.
drop function if exists fleet.v1_actor(uuid);
