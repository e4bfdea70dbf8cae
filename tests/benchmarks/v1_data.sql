-- 100,000 dossiers and their rows, two million in all.

insert into auth.users (id, email)
select md5('user' || n)::uuid, 'client' || n || '@example.com' from generate_series(1, 50000) n;

insert into profiles (id, created_at)
select md5('user' || n)::uuid, now() - n * interval '1 minute' from generate_series(1, 50000) n;

insert into agents (id, email)
select md5('agent' || n)::uuid, 'agent' || n || '@example.com' from generate_series(1, 20) n;

insert into steps (id, code, position)
select md5('step' || n)::uuid, 'S' || n, n from generate_series(1, 5) n;

insert into document_types (id, code)
select md5('type' || n)::uuid, 'T' || n from generate_series(1, 5) n;

insert into dossiers (id, user_id, type, status, current_step_id)
select
  md5('dossier' || n)::uuid,
  case when n % 1000 > 0 then md5('user' || (n % 50000 + 1))::uuid end,
  'LLC', 'QUALIFICATION', md5('step' || (n % 4 + 1))::uuid
from generate_series(1, 100000) n;

insert into step_instances (dossier_id, step_id, started_at)
select md5('dossier' || n)::uuid, md5('step' || s)::uuid, now()
from generate_series(1, 100000) n, generate_series(1, 3) s;

insert into dossier_status_history (dossier_id, status, changed_by)
select md5('dossier' || n)::uuid, 'QUALIFICATION', case when k = 1 then md5('agent' || (n % 20 + 1))::uuid end
from generate_series(1, 100000) n, generate_series(1, 2) k;

insert into messages (dossier_id, sender_id, content)
select
  md5('dossier' || n)::uuid,
  case k when 1 then md5('user' || (n % 50000 + 1))::uuid when 2 then md5('agent' || (n % 20 + 1))::uuid end,
  'Message ' || k
from generate_series(1, 100000) n, generate_series(1, 3) k;

insert into documents (id, dossier_id, document_type_id)
select md5('document' || n || '-' || k)::uuid, md5('dossier' || n)::uuid, md5('type' || k)::uuid
from generate_series(1, 100000) n, generate_series(1, 2) k;

insert into document_versions (id, document_id, file_url, uploaded_by, uploaded_at)
select
  md5('version' || n || '-' || k || '-' || v)::uuid,
  md5('document' || n || '-' || k)::uuid,
  'https://files.example.com/' || n,
  case when v = 1 then md5('user' || (n % 50000 + 1))::uuid end,
  now() - v * interval '1 hour'
from generate_series(1, 100000) n, generate_series(1, 2) k, generate_series(1, 2) v;

insert into document_reviews (document_version_id, reviewer_id, status)
select
  md5('version' || n || '-1-2')::uuid,
  case when n % 10 > 0 then md5('agent' || (n % 20 + 1))::uuid end,
  'REJECTED'
from generate_series(1, 100000) n;

insert into events (entity_type, entity_id, event_type, payload)
select 'dossier', md5('dossier' || n)::uuid, 'STEP_STARTED', '{}'
from generate_series(1, 100000) n, generate_series(1, 3) k;

insert into notifications (id, user_id, dossier_id, title, message, template_code)
select
  md5('notification' || n)::uuid, md5('user' || (n % 50000 + 1))::uuid, md5('dossier' || n)::uuid,
  case when n % 2 = 0 then 'Title' end, 'Text', 'WELCOME'
from generate_series(1, 100000) n;

insert into notification_deliveries (notification_id, channel, recipient, status)
select
  md5('notification' || n)::uuid, 'EMAIL',
  case when n % 2 = 0 then 'client@example.com' end, 'SENT'
from generate_series(1, 100000) n;
