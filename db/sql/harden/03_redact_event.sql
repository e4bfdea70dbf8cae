-- Erasure under the GDPR: takes out of an event whatever a person wrote or is named by, and leaves that it
-- happened, to what, and when. False where there is no such event.
create or replace function fleet.redact_event(p_event_id uuid) returns boolean
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_found boolean;
begin
  perform set_config('fleet.erasure', 'on', true);
  update public.events
  set payload = jsonb_build_object('redacted_at', now()), actor_id = null
  where id = p_event_id;
  v_found := found;
  perform set_config('fleet.erasure', '', true);
  return v_found;
end
$$;
revoke execute on function fleet.redact_event(uuid) from public;
