drop trigger fleet_enqueue_advance on public.documents;
drop function fleet.enqueue_advance();
alter table fleet.inbox drop column learned;
drop table fleet.letters, fleet.step_completions, fleet.advances, fleet.notices, fleet.session_checks,
  fleet.sweeps, fleet.findings, fleet.payment_failures, fleet.payments, fleet.settlements;
