create trigger fleet_enqueue_advance after insert or update of status on public.documents
  for each row when (new.status::text = 'APPROVED') execute function fleet.enqueue_advance();
