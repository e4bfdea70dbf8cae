-- What the table reference tells.
comment on table fleet.schedule is 'When each entry of the timetable last ran, how it ended, and who is at it.';
comment on column fleet.schedule.since is 'When a tick first saw the entry; its first run is due from then on.';
comment on column fleet.schedule.claim is 'A run that was called and has not begun.';
comment on column fleet.schedule.run is 'The run under way; still there where one has not come to its end.';
comment on column fleet.schedule.took is 'How long the last finished run took.';
