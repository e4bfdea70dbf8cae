-- The old names, and a dossier's current step as v1 knows it.
alter table dossier_status_history rename column new_status to status;
alter table dossier_status_history rename column changed_by_id to changed_by;
alter table document_versions rename column uploaded_by_id to uploaded_by;
alter table dossiers add column current_step_id uuid;

update dossiers d
set current_step_id = si.step_id
from step_instances si
where si.id = d.current_step_instance_id;

-- What the upgrade made for want of one, and nobody has used since: v1 tells as much by current_step_id alone.
delete from step_instances si
using dossiers d
where d.current_step_instance_id = si.id
  and si.metadata = '{"made_by_upgrade": true}'
  and si.completed_at is null
  and si.started_at = si.created_at;

-- Steps that did not exist in v1 either.
update dossiers d
set current_step_id = (s."row" ->> 'current_step_id')::uuid
from fleet.set_aside s
where s.table_name = 'dossiers.current_step_id'
  and (s."row" ->> 'id')::uuid = d.id
  and d.current_step_id is null;
