create index idx_profiles_status on profiles (status);
create index idx_profiles_stripe_customer_id on profiles (stripe_customer_id) where stripe_customer_id is not null;

create index idx_agents_active on agents (active) where active = true;

create index idx_products_active on products (active) where active = true;
create index idx_products_code on products (code);
create index idx_products_dossier_type on products (dossier_type);

create index idx_steps_code on steps (code);
create index idx_steps_position on steps (position);

create index idx_product_steps_product_id on product_steps (product_id);
create index idx_product_steps_step_id on product_steps (step_id);

create index idx_step_fields_field_key on step_fields (field_key);
create index idx_step_fields_position on step_fields (step_id, position);
create index idx_step_fields_step_id on step_fields (step_id);

create index idx_document_types_code on document_types (code);
create index idx_document_types_required_step_id on document_types (required_step_id);

create index idx_dossiers_created_at on dossiers (created_at desc);
create index idx_dossiers_current_step_instance_id on dossiers (current_step_instance_id);
create index idx_dossiers_product_id on dossiers (product_id);
create index idx_dossiers_status on dossiers (status);
create index idx_dossiers_type on dossiers (type);
create index idx_dossiers_user_id on dossiers (user_id);

create index idx_step_instances_assigned_to on step_instances (assigned_to);
create index idx_step_instances_dossier_id on step_instances (dossier_id);
create index idx_step_instances_step_id on step_instances (step_id);

create index idx_step_field_values_created_by on step_field_values (created_by_type, created_by_id);
create index idx_step_field_values_step_field_id on step_field_values (step_field_id);
create index idx_step_field_values_step_instance_id on step_field_values (step_instance_id);

create index idx_dossier_status_history_created_at on dossier_status_history (created_at desc);
create index idx_dossier_status_history_dossier_id on dossier_status_history (dossier_id);

create index idx_messages_created_at on messages (created_at desc);
create index idx_messages_dossier_id on messages (dossier_id);
create index idx_messages_sender on messages (sender_type, sender_id);

create index idx_documents_document_type_id on documents (document_type_id);
create index idx_documents_dossier_id on documents (dossier_id);
create index idx_documents_status on documents (status);
create index idx_documents_step_instance_id on documents (step_instance_id);

create index idx_document_versions_document_id on document_versions (document_id);
create index idx_document_versions_uploaded_at on document_versions (uploaded_at desc);

create index idx_document_reviews_document_version_id on document_reviews (document_version_id);
create index idx_document_reviews_reviewer_id on document_reviews (reviewer_id);
create index idx_document_reviews_status on document_reviews (status);

create index idx_payment_links_product_id on payment_links (product_id);
create index idx_payment_links_prospect_email on payment_links (prospect_email);
create index idx_payment_links_token on payment_links (token);
create index idx_payment_links_used_at on payment_links (used_at);

create index idx_orders_created_at on orders (created_at desc);
create index idx_orders_dossier_id on orders (dossier_id);
create index idx_orders_payment_link_id on orders (payment_link_id);
create index idx_orders_product_id on orders (product_id);
create index idx_orders_status on orders (status);
create index idx_orders_stripe_checkout_session_id on orders (stripe_checkout_session_id);
create index idx_orders_stripe_payment_intent_id on orders (stripe_payment_intent_id);
create index idx_orders_user_id on orders (user_id);

create index idx_payment_reminders_order_id on payment_reminders (order_id);
create index idx_payment_reminders_user_id on payment_reminders (user_id);

create index idx_events_actor on events (actor_type, actor_id);
create index idx_events_created_at on events (created_at desc);
create index idx_events_entity on events (entity_type, entity_id);
create index idx_events_event_type on events (event_type);

create index idx_notifications_created_at on notifications (created_at desc);
create index idx_notifications_dossier_id on notifications (dossier_id);
create index idx_notifications_read_at on notifications (read_at);
create index idx_notifications_user_id on notifications (user_id);

create index idx_notification_deliveries_channel on notification_deliveries (channel);
create index idx_notification_deliveries_notification_id on notification_deliveries (notification_id);
create index idx_notification_deliveries_status on notification_deliveries (status);
