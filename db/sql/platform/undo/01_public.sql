-- No cascade: what others have hung onto these tables is theirs, and stops the undoing. The tables go in one
-- statement because some of them refer to each other in a circle.

drop table
  notification_deliveries,
  notifications,
  events,
  payment_reminders,
  orders,
  payment_links,
  document_reviews,
  document_versions,
  documents,
  messages,
  dossier_status_history,
  step_field_values,
  step_instances,
  dossiers,
  document_types,
  step_fields,
  product_steps,
  steps,
  products,
  agents,
  profiles;

drop function
  update_updated_at_column(),
  create_dossier_status_event(),
  create_document_upload_event(),
  get_next_step_for_dossier(uuid),
  are_step_documents_complete(uuid),
  generate_payment_link_token();

drop type
  notification_status,
  notification_channel,
  event_type,
  review_status,
  document_status,
  dossier_status_code,
  dossier_type,
  actor_type,
  order_status,
  user_status;
