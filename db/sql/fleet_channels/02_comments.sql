-- What the table reference tells.
comment on table fleet.receipts is 'What a provider has said of one attempt''s message, each thing at its first time.';
comment on table fleet.lookups is 'A question to put to a provider later: what became of a message, or whether it exists.';
comment on table fleet.fallbacks is 'One channel gave way to another for a notification, once, and why.';
comment on table fleet.conversations is 'When a number last wrote to us: WhatsApp takes free text to it for a day.';
comment on table fleet.unseen_codes is 'Codes of providers that no table of codes lists, taken by the safe default.';
comment on table fleet.interventions is 'What a person did by hand, and why.';
