-- The ids in an event's payload come from the application: what is not a uuid is no reference, not an error.
create function fleet.as_uuid(candidate text) returns uuid
  language sql immutable strict parallel safe
  set search_path = pg_catalog
as $$
  select case
    when candidate ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then candidate::uuid
  end
$$;

-- Runs inside the application's statement, with roles that know nothing of the fleet, and must never fail it:
-- an error becomes a warning, and the sweep finds the event that has no row here.
create function fleet.enqueue_event() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into fleet.outbox (event_id) values (new.id) on conflict do nothing;
  perform pg_notify('fleet', 'fanout');
  return null;
exception when others then
  raise warning 'fleet: event % was not enqueued: %', new.id, sqlerrm;
  return null;
end
$$;

create function fleet.enqueue_delivery() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into fleet.delivery_places (notification_id, channel, delivery_id)
    values (new.notification_id, new.channel::text, new.id) on conflict do nothing;
  if new.status::text = 'PENDING' then
    insert into fleet.dispatch (delivery_id, channel) values (new.id, new.channel::text) on conflict do nothing;
    perform pg_notify('fleet', lower(new.channel::text));
  end if;
  return null;
exception when others then
  raise warning 'fleet: delivery % was not enqueued: %', new.id, sqlerrm;
  return null;
end
$$;

revoke execute on function fleet.enqueue_event(), fleet.enqueue_delivery() from public;
