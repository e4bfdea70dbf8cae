-- What the table reference tells.
comment on table fleet.installation is 'When the fleet was put on this database. What is older is left alone.';
comment on table fleet.outbox is 'An event to fan out, from the insert trigger on events to the fan-out''s commit.';
comment on table fleet.fanouts is 'What became of an event: whether somebody was told, and if nobody, why.';
comment on table fleet.announcements is 'One notification per event, person and template, whoever wrote it.';
comment on table fleet.delivery_places is 'One delivery per notification and channel: the first one inserted.';
comment on table fleet.dispatch is 'A delivery to send, from its insert trigger to its last word.';
comment on table fleet.attempts is 'One try at one delivery. Open while its outcome is unknown.';
comment on table fleet.channels is 'A channel that is not worked off for now, and why.';
comment on table fleet.inbox is 'One callback of a provider, raw, under the provider''s own id.';
