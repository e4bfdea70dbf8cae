-- When each entry of the timetable last ran, and who is at it. A tick claims a run; whoever works the message off
-- trades the claim for a run of its own, so that a message that comes twice runs once.
create table fleet.schedule (
  name        text        primary key,
  since       timestamptz not null,
  claim       uuid,
  claimed_at  timestamptz,
  run         uuid,
  lease_until timestamptz,
  started_at  timestamptz,
  finished_at timestamptz,
  took        interval,
  result      text,
  error       text,
  runs        bigint      not null default 0,
  constraint claimed_at_a_time check (claim is null or claimed_at is not null),
  constraint run_from_a_time check (run is null or started_at is not null),
  constraint held_until_a_time check ((claim is null and run is null) = (lease_until is null)),
  constraint finished_in_a_time check ((finished_at is null) = (took is null)),
  constraint result_or_error check (result is null or error is null)
);
