-- The roles that row-level security is for: they may do something with the platform's tables, neither own them
-- nor pass by it, and are not the fleet's.
select r.rolname as name
from pg_roles r
where not r.rolsuper and not r.rolbypassrls and r.rolname !~ '^pg_'
  and not pg_has_role(r.oid, (select relowner from pg_class where oid = to_regclass('public.profiles')), 'USAGE')
  and not coalesce(has_schema_privilege(r.oid, to_regnamespace('fleet')::oid, 'USAGE'), false)
  and exists (
    select from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
  )
order by 1
