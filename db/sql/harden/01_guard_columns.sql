-- Refuses a client's change of columns. The trigger's arguments: 'closed' and the columns that are, or 'open'
-- and the only ones that are. Clients are all but the table's owner, who passes by row-level security, and who
-- may work in the fleet's schema. Runs with the rights of whoever updates, to see who that is.
create or replace function fleet.guard_columns() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_before jsonb := to_jsonb(old);
  v_after jsonb := to_jsonb(new);
  v_refused text;
begin
  if pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'USAGE')
    or (select rolbypassrls from pg_roles where rolname = current_user)
    or has_schema_privilege(current_user, 'fleet', 'USAGE')
  then
    return new;
  end if;

  select string_agg(k, ', ' order by k) into v_refused
  from jsonb_object_keys(v_after) k
  where v_before -> k is distinct from v_after -> k
    and (k = any (tg_argv[1:])) = (tg_argv[0] = 'closed');

  if v_refused is not null then
    raise exception 'a client does not change % of %', v_refused, tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;
