drop table fleet.schedule;
