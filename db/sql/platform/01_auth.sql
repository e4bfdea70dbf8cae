-- Supabase brings the schema auth. Elsewhere the platform needs three things of it, made here only where
-- each is missing. The comment marks what is ours, so that undoing the revision leaves the rest alone.

do $guard$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    comment on schema auth is 'fleet: stands in for Supabase Auth';
  end if;

  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid primary key default gen_random_uuid(),
      email text,
      created_at timestamptz default now()
    );
    comment on table auth.users is 'fleet: stands in for Supabase Auth';
  end if;

  if to_regprocedure('auth.uid()') is null then
    -- The claim alone is what older PostgREST sets, the claims as JSON what newer ones set.
    create function auth.uid() returns uuid language sql stable as $function$
      select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid
    $function$;
    comment on function auth.uid() is 'fleet: stands in for Supabase Auth';
  end if;
end
$guard$;
