-- As the other triggers: inside the application's statement, and never to fail it.
create function fleet.enqueue_advance() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into fleet.advances (dossier_id) values (new.dossier_id)
    on conflict (dossier_id) do update set due_at = now(), tries = 0, last_error = null, parked_at = null;
  perform pg_notify('fleet', 'advances');
  return null;
exception when others then
  raise warning 'fleet: dossier % was not enqueued: %', new.dossier_id, sqlerrm;
  return null;
end
$$;

revoke execute on function fleet.enqueue_advance() from public;
