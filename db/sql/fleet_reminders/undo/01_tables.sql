drop table fleet.cancellations, fleet.reminder_sessions, fleet.reminders;
