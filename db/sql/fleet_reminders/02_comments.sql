-- What the table reference tells.
comment on table fleet.reminders is 'A reminder of an unpaid order, by its number: what was sent, followed and paid.';
comment on table fleet.reminder_sessions is 'A Checkout Session that the fleet has made for a reminder.';
comment on table fleet.cancellations is 'An order that was given up after its last reminder, once.';
