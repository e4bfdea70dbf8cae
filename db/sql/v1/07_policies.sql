-- Clients see and touch what is theirs. The service role passes by all of this.
-- @locking profiles, dossiers, step_instances, step_field_values, messages, documents, document_versions, document_reviews, orders, payment_reminders, events, notifications, notification_deliveries

drop policy if exists "Users can read their dossiers" on dossiers;
drop policy if exists "Users can read their notifications" on notifications;

alter table profiles enable row level security;
alter table dossiers enable row level security;
alter table step_instances enable row level security;
alter table step_field_values enable row level security;
alter table messages enable row level security;
alter table documents enable row level security;
alter table document_versions enable row level security;
alter table document_reviews enable row level security;
alter table orders enable row level security;
alter table payment_reminders enable row level security;
alter table events enable row level security;
alter table notifications enable row level security;
alter table notification_deliveries enable row level security;

-- People ----------------------------------------------------------------------------------------------------

drop policy if exists "Users can view own profile" on profiles;
create policy "Users can view own profile" on profiles for select
  using (auth.uid() = id);

drop policy if exists "Users can update own profile" on profiles;
create policy "Users can update own profile" on profiles for update
  using (auth.uid() = id);

-- Dossiers --------------------------------------------------------------------------------------------------

drop policy if exists "Users can view own dossiers" on dossiers;
create policy "Users can view own dossiers" on dossiers for select
  using (auth.uid() = user_id);

drop policy if exists "Users can view own dossier steps" on step_instances;
create policy "Users can view own dossier steps" on step_instances for select
  using (exists (
    select 1 from dossiers
    where dossiers.id = step_instances.dossier_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can view own step field values" on step_field_values;
create policy "Users can view own step field values" on step_field_values for select
  using (exists (
    select 1 from step_instances
    join dossiers on dossiers.id = step_instances.dossier_id
    where step_instances.id = step_field_values.step_instance_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can manage own step field values" on step_field_values;
create policy "Users can manage own step field values" on step_field_values for insert
  with check (
    exists (
      select 1 from step_instances
      join dossiers on dossiers.id = step_instances.dossier_id
      where step_instances.id = step_field_values.step_instance_id and dossiers.user_id = auth.uid()
    )
    and created_by_type = 'USER'
    and created_by_id = auth.uid()
  );

drop policy if exists "Users can update own step field values" on step_field_values;
create policy "Users can update own step field values" on step_field_values for update
  using (exists (
    select 1 from step_instances
    join dossiers on dossiers.id = step_instances.dossier_id
    where step_instances.id = step_field_values.step_instance_id and dossiers.user_id = auth.uid()
  ))
  with check (exists (
    select 1 from step_instances
    join dossiers on dossiers.id = step_instances.dossier_id
    where step_instances.id = step_field_values.step_instance_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can view dossier messages" on messages;
create policy "Users can view dossier messages" on messages for select
  using (exists (
    select 1 from dossiers
    where dossiers.id = messages.dossier_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can send messages" on messages;
create policy "Users can send messages" on messages for insert
  with check (
    exists (
      select 1 from dossiers
      where dossiers.id = messages.dossier_id and dossiers.user_id = auth.uid()
    )
    and sender_type = 'USER'
    and sender_id = auth.uid()
  );

-- Documents -------------------------------------------------------------------------------------------------

drop policy if exists "Users can view own dossier documents" on documents;
create policy "Users can view own dossier documents" on documents for select
  using (exists (
    select 1 from dossiers
    where dossiers.id = documents.dossier_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can upload documents" on documents;
create policy "Users can upload documents" on documents for insert
  with check (exists (
    select 1 from dossiers
    where dossiers.id = documents.dossier_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can view own document versions" on document_versions;
create policy "Users can view own document versions" on document_versions for select
  using (exists (
    select 1 from documents
    join dossiers on dossiers.id = documents.dossier_id
    where documents.id = document_versions.document_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can create document versions" on document_versions;
create policy "Users can create document versions" on document_versions for insert
  with check (exists (
    select 1 from documents
    join dossiers on dossiers.id = documents.dossier_id
    where documents.id = document_versions.document_id and dossiers.user_id = auth.uid()
  ));

drop policy if exists "Users can view document reviews" on document_reviews;
create policy "Users can view document reviews" on document_reviews for select
  using (exists (
    select 1 from document_versions
    join documents on documents.id = document_versions.document_id
    join dossiers on dossiers.id = documents.dossier_id
    where document_versions.id = document_reviews.document_version_id and dossiers.user_id = auth.uid()
  ));

-- Payments --------------------------------------------------------------------------------------------------

drop policy if exists "Users can view own orders" on orders;
create policy "Users can view own orders" on orders for select
  using (auth.uid() = user_id);

drop policy if exists "Users can view own payment reminders" on payment_reminders;
create policy "Users can view own payment reminders" on payment_reminders for select
  using (auth.uid() = user_id);

-- Events and notifications ----------------------------------------------------------------------------------

drop policy if exists "Users can view dossier events" on events;
create policy "Users can view dossier events" on events for select
  using (
    entity_type = 'dossier'
    and exists (
      select 1 from dossiers
      where dossiers.id = events.entity_id and dossiers.user_id = auth.uid()
    )
  );

drop policy if exists "Users can view own notifications" on notifications;
create policy "Users can view own notifications" on notifications for select
  using (auth.uid() = user_id);

drop policy if exists "Users can update own notifications" on notifications;
create policy "Users can update own notifications" on notifications for update
  using (auth.uid() = user_id)
  with check (auth.uid() = user_id);

drop policy if exists "Users can view own notification deliveries" on notification_deliveries;
create policy "Users can view own notification deliveries" on notification_deliveries for select
  using (exists (
    select 1 from notifications
    where notifications.id = notification_deliveries.notification_id and notifications.user_id = auth.uid()
  ));
