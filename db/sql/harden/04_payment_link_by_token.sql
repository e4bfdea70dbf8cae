-- Who holds the token sees the link, used or run out or not, so that the page can say which. Nothing lists
-- links, and nothing of the agent or of Stripe shows.
create or replace function public.payment_link_by_token(p_token text)
  returns table (
    id uuid, product_id uuid, prospect_email text, prospect_name text, expires_at timestamptz, used_at timestamptz
  )
  language sql stable strict security definer rows 1
  set search_path = pg_catalog, pg_temp
as $$
  select l.id, l.product_id, l.prospect_email, l.prospect_name, l.expires_at, l.used_at
  from public.payment_links l
  where l.token = p_token
$$;
