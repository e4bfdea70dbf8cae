-- What the table reference tells.
comment on table fleet.preferences is 'What a person has said about being written to.';
comment on table fleet.suppressions is 'An address that is not to be written to, why, and who said so.';
comment on table fleet.links is 'A link on the fleet''s own domain: where it leads, until when, and how often it was followed.';
comment on table fleet.erasures is 'What was erased of a person, when and by whom; nothing of what it was.';
