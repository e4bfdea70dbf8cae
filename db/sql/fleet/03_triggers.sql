create trigger fleet_enqueue_event after insert on public.events
  for each row execute function fleet.enqueue_event();

create trigger fleet_enqueue_delivery after insert on public.notification_deliveries
  for each row execute function fleet.enqueue_delivery();
