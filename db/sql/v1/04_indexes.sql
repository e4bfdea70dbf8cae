-- The last two stand behind unique constraints.
-- @alone

create index concurrently if not exists idx_profiles_status on profiles (status);

create index concurrently if not exists idx_profiles_stripe_customer_id
  on profiles (stripe_customer_id) where stripe_customer_id is not null;

create index concurrently if not exists idx_agents_active on agents (active) where active = true;

create index concurrently if not exists idx_products_active on products (active) where active = true;

create index concurrently if not exists idx_products_code on products (code);

create index concurrently if not exists idx_products_dossier_type on products (dossier_type);

create index concurrently if not exists idx_steps_code on steps (code);

create index concurrently if not exists idx_steps_position on steps (position);

create index concurrently if not exists idx_product_steps_product_id on product_steps (product_id);

create index concurrently if not exists idx_product_steps_step_id on product_steps (step_id);

create index concurrently if not exists idx_step_fields_field_key on step_fields (field_key);

create index concurrently if not exists idx_step_fields_position on step_fields (step_id, position);

create index concurrently if not exists idx_step_fields_step_id on step_fields (step_id);

create index concurrently if not exists idx_document_types_code on document_types (code);

create index concurrently if not exists idx_document_types_required_step_id
  on document_types (required_step_id);

create index concurrently if not exists idx_dossiers_created_at on dossiers (created_at desc);

create index concurrently if not exists idx_dossiers_current_step_instance_id
  on dossiers (current_step_instance_id);

create index concurrently if not exists idx_dossiers_product_id on dossiers (product_id);

create index concurrently if not exists idx_dossiers_status on dossiers (status);

create index concurrently if not exists idx_dossiers_type on dossiers (type);

create index concurrently if not exists idx_dossiers_user_id on dossiers (user_id);

create index concurrently if not exists idx_step_instances_assigned_to on step_instances (assigned_to);

create index concurrently if not exists idx_step_instances_step_id on step_instances (step_id);

create index concurrently if not exists idx_step_field_values_created_by
  on step_field_values (created_by_type, created_by_id);

create index concurrently if not exists idx_step_field_values_step_field_id
  on step_field_values (step_field_id);

create index concurrently if not exists idx_step_field_values_step_instance_id
  on step_field_values (step_instance_id);

create index concurrently if not exists idx_dossier_status_history_created_at
  on dossier_status_history (created_at desc);

create index concurrently if not exists idx_messages_created_at on messages (created_at desc);

create index concurrently if not exists idx_messages_sender on messages (sender_type, sender_id);

create index concurrently if not exists idx_documents_document_type_id on documents (document_type_id);

create index concurrently if not exists idx_documents_status on documents (status);

create index concurrently if not exists idx_documents_step_instance_id on documents (step_instance_id);

create index concurrently if not exists idx_document_versions_uploaded_at
  on document_versions (uploaded_at desc);

create index concurrently if not exists idx_document_reviews_reviewer_id on document_reviews (reviewer_id);

create index concurrently if not exists idx_document_reviews_status on document_reviews (status);

create index concurrently if not exists idx_payment_links_product_id on payment_links (product_id);

create index concurrently if not exists idx_payment_links_prospect_email on payment_links (prospect_email);

create index concurrently if not exists idx_payment_links_token on payment_links (token);

create index concurrently if not exists idx_payment_links_used_at on payment_links (used_at);

create index concurrently if not exists idx_orders_created_at on orders (created_at desc);

create index concurrently if not exists idx_orders_dossier_id on orders (dossier_id);

create index concurrently if not exists idx_orders_payment_link_id on orders (payment_link_id);

create index concurrently if not exists idx_orders_product_id on orders (product_id);

create index concurrently if not exists idx_orders_status on orders (status);

create index concurrently if not exists idx_orders_stripe_checkout_session_id
  on orders (stripe_checkout_session_id);

create index concurrently if not exists idx_orders_stripe_payment_intent_id
  on orders (stripe_payment_intent_id);

create index concurrently if not exists idx_orders_user_id on orders (user_id);

create index concurrently if not exists idx_payment_reminders_order_id on payment_reminders (order_id);

create index concurrently if not exists idx_payment_reminders_user_id on payment_reminders (user_id);

create index concurrently if not exists idx_events_actor on events (actor_type, actor_id);

create index concurrently if not exists idx_events_created_at on events (created_at desc);

create index concurrently if not exists idx_events_entity on events (entity_type, entity_id);

create index concurrently if not exists idx_events_event_type on events (event_type);

create index concurrently if not exists idx_notifications_created_at on notifications (created_at desc);

create index concurrently if not exists idx_notifications_read_at on notifications (read_at);

create index concurrently if not exists idx_notifications_user_id on notifications (user_id);

create index concurrently if not exists idx_notification_deliveries_channel
  on notification_deliveries (channel);

create index concurrently if not exists idx_notification_deliveries_status
  on notification_deliveries (status);

create unique index concurrently if not exists profiles_stripe_customer_id_key
  on profiles (stripe_customer_id);

create unique index concurrently if not exists document_versions_document_id_version_number_key
  on document_versions (document_id, version_number);

-- The foreign keys come after the indexes that deletes look up, and are validated later. Those that v2 wants
-- otherwise stand beside the old ones until then.
-- @locking products, dossiers

select fleet.v1_add(
  'dossiers', 'dossiers_product_id_fkey',
  'foreign key (product_id) references products (id) on delete set null'
);

-- @locking step_instances, dossiers

select fleet.v1_add(
  'dossiers', 'fk_current_step_instance',
  'foreign key (current_step_instance_id) references step_instances (id) on delete set null'
);

-- @locking agents, step_instances

select fleet.v1_add(
  'step_instances', 'step_instances_assigned_to_fkey',
  'foreign key (assigned_to) references agents (id) on delete set null'
);

-- @locking steps, step_instances

select fleet.v1_add(
  'step_instances', 'v2_step_instances_step_id_fkey',
  'foreign key (step_id) references steps (id) on delete restrict'
);

-- @locking steps, document_types

select fleet.v1_add(
  'document_types', 'v2_document_types_required_step_id_fkey',
  'foreign key (required_step_id) references steps (id) on delete set null'
);

-- @locking document_types, documents

select fleet.v1_add(
  'documents', 'v2_documents_document_type_id_fkey',
  'foreign key (document_type_id) references document_types (id) on delete restrict'
);

-- @locking step_instances, documents

select fleet.v1_add(
  'documents', 'documents_step_instance_id_fkey',
  'foreign key (step_instance_id) references step_instances (id) on delete set null'
);

-- @locking document_versions, documents

select fleet.v1_add(
  'documents', 'fk_current_version',
  'foreign key (current_version_id) references document_versions (id) on delete set null'
);

-- @locking agents, document_reviews

select fleet.v1_add(
  'document_reviews', 'v2_document_reviews_reviewer_id_fkey',
  'foreign key (reviewer_id) references agents (id) on delete restrict'
);

-- @locking events, notifications

select fleet.v1_add(
  'notifications', 'notifications_event_id_fkey',
  'foreign key (event_id) references events (id) on delete set null'
);

-- What the old application deleted before these keys stood may still be pointed to.
-- @transaction

update dossiers d
set current_step_instance_id = (
  select si.id from step_instances si where si.dossier_id = d.id and si.step_id = d.current_step_id
)
where not exists (select from step_instances si where si.id = d.current_step_instance_id)
  and d.current_step_instance_id is not null;

update documents d
set current_version_id = (
  select v.id from document_versions v where v.document_id = d.id order by v.version_number desc limit 1
)
where not exists (select from document_versions v where v.id = d.current_version_id)
  and d.current_version_id is not null;
