-- What was set aside goes back to its place, parents first. Who has put a row back by hand has mended it.
do $back$
declare
  v_table text;
begin
  foreach v_table in array array[
    'dossiers', 'step_instances', 'dossier_status_history', 'messages', 'documents', 'document_versions',
    'document_reviews', 'events', 'notifications', 'notification_deliveries'
  ] loop
    execute format(
      'insert into %1$I
       select r.* from fleet.set_aside s, jsonb_populate_record(null::%1$I, s."row") r
       where s.table_name = %1$L
       on conflict (id) do nothing',
      v_table
    );
  end loop;
end
$back$;

-- What a rule has filled becomes what it was, unless somebody has changed it since. The digest is that of
-- fleet.v1_keep.
do $back$
declare
  v_table text;
  v_column text;
  v_type text;
begin
  for v_table, v_column, v_type in
    select f.table_name, f.column_name, format_type(a.atttypid, a.atttypmod)
    from (select distinct table_name, column_name from fleet.v1_filled) f
    join pg_attribute a on a.attrelid = f.table_name::regclass and a.attname = f.column_name
  loop
    execute format(
      'update %1$I t
       set %2$I = f.was::%3$s
       from (
         select distinct on (id) id, was, became
         from fleet.v1_filled
         where table_name = %1$L and column_name = %2$L
         order by id, number desc
       ) f
       where f.id = t.id
         and f.became = md5(t.id::text || (%4$s))',
      v_table, v_column, v_type,
      case
        when v_column like '%\_at' then format('extract(epoch from t.%I)::text', v_column)
        else format('to_jsonb(t) ->> %L', v_column)
      end
    );
  end loop;
end
$back$;

-- What the upgrade made for want of it, where nothing points to it any more.
delete from document_types t
where t.id = '00000000-0000-0000-0000-000000000000'
  and t.required_step_id is null
  and exists (select from fleet.v1_counts where table_name = 'document_types' and what = 'made')
  and not exists (select from documents where document_type_id = t.id);

delete from agents a
where a.email = 'system@upgrade.invalid'
  and exists (select from fleet.v1_counts where table_name = 'agents' and what = 'made')
  and not exists (select from document_reviews where reviewer_id = a.id);
