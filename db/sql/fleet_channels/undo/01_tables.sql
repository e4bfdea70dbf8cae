drop table fleet.interventions, fleet.unseen_codes, fleet.conversations, fleet.fallbacks, fleet.lookups, fleet.receipts;

delete from fleet.channels where kind in ('FAILING', 'BY_HAND');
alter table fleet.channels drop constraint known_kind;
alter table fleet.channels add constraint known_kind check (kind in ('RATE_LIMITED', 'MISCONFIGURED'));

drop index fleet.inbox_parked;
drop index fleet.attempts_opened;
drop index fleet.attempts_provider_message;
update fleet.attempts set evidence = 'CALLBACK' where evidence = 'LOOKUP';
alter table fleet.attempts drop constraint known_evidence;
alter table fleet.attempts add constraint known_evidence check (evidence in ('ANSWER', 'CALLBACK', 'NONE'));
alter table fleet.attempts drop column segments, drop column price, drop column price_unit;

create index dispatch_due on fleet.dispatch (channel, due_at) where parked_at is null;
drop index fleet.dispatch_due_by_priority;
alter table fleet.dispatch drop column priority;
