drop trigger fleet_enqueue_event on public.events;
drop trigger fleet_enqueue_delivery on public.notification_deliveries;
drop function fleet.enqueue_event();
drop function fleet.enqueue_delivery();
drop function fleet.as_uuid(text);
drop table fleet.inbox, fleet.channels, fleet.attempts, fleet.dispatch, fleet.delivery_places,
  fleet.announcements, fleet.fanouts, fleet.outbox, fleet.installation;
