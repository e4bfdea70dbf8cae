-- Events are never changed nor deleted, by whomever. The door: the owner of the table, or a function of the
-- owner's, with fleet.erasure set to on in the transaction.
create or replace function fleet.refuse_event_change() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('fleet.erasure', true) = 'on'
    and pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'USAGE')
  then
    return null;
  end if;
  raise exception 'events are never changed: % is refused', lower(tg_op)
    using errcode = 'insufficient_privilege',
      hint = 'To erase personal data: select fleet.redact_event(id).';
end
$$;
