do $guard$
declare
  mark constant text := 'fleet: stands in for Supabase Auth';
begin
  if obj_description(to_regprocedure('auth.uid()'), 'pg_proc') = mark then
    drop function auth.uid();
  end if;

  if obj_description(to_regclass('auth.users'), 'pg_class') = mark then
    drop table auth.users;
  end if;

  if obj_description(to_regnamespace('auth'), 'pg_namespace') = mark then
    drop schema auth;
  end if;
end
$guard$;
