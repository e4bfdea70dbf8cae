-- What a client could do and should not, one row each. :clients are the roles of 01_clients.sql; where there is
-- none yet, one is imagined that was granted everything, as Supabase grants it. :platform are its tables.
with
tables as (
  select c.oid, c.relname as name, c.relrowsecurity as secured
  from pg_class c
  where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p')
),
-- Policies that hold for a client.
all_policies as (
  select p.oid as id, p.polrelid as oid, p.polname as name, p.polcmd as command, p.polpermissive as permissive,
    pg_get_expr(p.polqual, p.polrelid) as condition
  from pg_policy p
  where exists (
    select from unnest(p.polroles) as meant(role)
    where meant.role = 0 or exists (
      select from unnest(cast(:clients as text[])) as client(name)
      where pg_has_role(client.name, meant.role, 'USAGE'))
  )
),
policies as (
  select * from all_policies where permissive
),
may as (
  select t.oid, privilege.name as privilege, privilege.position
  from tables t
  cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) with ordinality as privilege(name, position)
  where cardinality(cast(:clients as text[])) = 0 or exists (
    select from unnest(cast(:clients as text[])) as client(name)
    where has_table_privilege(client.name, t.oid, privilege.name))
),
-- 13: columns that are not a client's to change.
guarded as (
  select t.oid, t.name, t.secured, a.attname as "column"
  from tables t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where (t.name = 'profiles' and a.attname in ('status', 'stripe_customer_id'))
    or (t.name = 'notifications' and a.attname <> 'read_at')
    or (t.name = 'step_field_values' and a.attname in ('created_by_type', 'created_by_id'))
),
open_columns as (
  select g.name, string_agg(g."column", ', ' order by g."column") as columns
  from guarded g
  where (not g.secured or exists (select from policies p where p.oid = g.oid and p.command in ('w', '*')))
    and (cardinality(cast(:clients as text[])) = 0 or exists (
      select from unnest(cast(:clients as text[])) as client(name)
      where has_column_privilege(client.name, g.oid, g."column", 'UPDATE')))
    -- Before update, for each row, on all columns and without a condition; but a client may sign its answers.
    and not exists (
      select from pg_trigger t
      where t.tgrelid = g.oid and t.tgfoid = to_regprocedure('fleet.guard_columns()')
        and t.tgenabled in ('O', 'A') and t.tgtype & 19 = 19 and t.tgattr = ''
        and (t.tgqual is null or g.name = 'step_field_values'))
  group by g.name
),
-- What a row says of who made it and how far it is: each policy that lets a client insert must look at it, or
-- one that restricts them all.
said as (
  select t.oid, t.name, t.secured, a.attnum, a.attname as "column"
  from tables t
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where (t.name = 'documents' and a.attname in ('status', 'current_version_id', 'step_instance_id'))
    or (t.name = 'document_versions' and a.attname in ('uploaded_by_type', 'uploaded_by_id'))
    or (t.name = 'messages' and a.attname in ('sender_type', 'sender_id'))
    or (t.name = 'step_field_values' and a.attname in ('created_by_type', 'created_by_id'))
),
looked_at as (
  select p.oid, p.permissive, p.name as policy, d.refobjsubid as attnum
  from all_policies p
  join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.id
    and d.refclassid = 'pg_class'::regclass and d.refobjid = p.oid
  where p.command in ('a', '*')
),
forged_columns as (
  select s.name, string_agg(s."column", ', ' order by s."column") as columns
  from said s
  where (not s.secured or (
      exists (
        select from policies p
        where p.oid = s.oid and p.command in ('a', '*') and not exists (
          select from looked_at l where l.oid = s.oid and l.policy = p.name and l.attnum = s.attnum))
      and not exists (
        select from looked_at l where l.oid = s.oid and not l.permissive and l.attnum = s.attnum)))
    and (cardinality(cast(:clients as text[])) = 0 or exists (
      select from unnest(cast(:clients as text[])) as client(name)
      where has_column_privilege(client.name, s.oid, s."column", 'INSERT')))
  group by s.name
),
open_tables as (
  select t.oid, t.name, t.secured
  from tables t
  where t.name in ('products', 'payment_links', 'agents', 'steps', 'product_steps', 'step_fields',
                   'document_types', 'dossier_status_history')
),
-- 15: what no trigger refuses.
event_changes as (
  select string_agg(change.name, ', ' order by change.bit) as names
  from (values ('delete', 8), ('update', 16), ('truncate', 32)) as change(name, bit)
  where to_regclass('public.events') is not null and not exists (
    select from pg_trigger t
    where t.tgrelid = to_regclass('public.events')
      and t.tgfoid = to_regprocedure('fleet.refuse_event_change()')
      and t.tgenabled in ('O', 'A') and t.tgtype & 2 = 2 and t.tgtype & change.bit > 0)
),
writers as (
  select p.proname as name, p.prosecdef as definer, p.proconfig::text like '%search_path=%' as fixed
  from pg_proc p
  where p.oid in (to_regprocedure('public.create_dossier_status_event()'),
                  to_regprocedure('public.create_document_upload_event()'))
)
select case when name <> 'step_field_values' then 13 end as number, 'table ' || name as object,
  'a client changes ' || columns || ' of its own row' as what
from open_columns
union all
select null, 'table ' || name, 'a client inserts a row with any ' || columns
from forged_columns
union all
select 14, 'table ' || t.name,
  'no row-level security: a client may ' || (
    select lower(string_agg(m.privilege, ', ' order by m.privilege desc)) from may m where m.oid = t.oid)
from open_tables t
where not t.secured and exists (select from may m where m.oid = t.oid)
union all
select 14, format('policy %s."%s"', t.name, p.name),
  case when p.command = 'r' then 'shows every row to clients' else 'lets clients write' end
from open_tables t
join policies p on p.oid = t.oid
where t.secured and (p.command <> 'r' or (t.name in ('agents', 'payment_links') and p.condition = 'true'))
union all
select 15, 'table events', 'called immutable, and nothing refuses ' || names
from event_changes where names is not null
union all
select null, 'function ' || w.name,
  case when w.definer then 'security definer with the caller''s search path'
  else 'writes to events with the rights of a client, who may not: the client''s own statement fails' end
from writers w
where case when w.definer then w.fixed is not true
  else exists (select from tables t where t.name = 'events' and t.secured
                 and not exists (select from policies p where p.oid = t.oid and p.command in ('a', '*'))) end
union all
select null, 'table ' || t.name, 'a client may truncate it, whatever its row-level security'
from tables t
where t.name = any(:platform) and exists (
  select from unnest(cast(:clients as text[])) as client(name)
  where has_table_privilege(client.name, t.oid, 'TRUNCATE'))
order by 1, 2
