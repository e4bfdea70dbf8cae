create trigger update_profiles_updated_at before update on profiles
  for each row execute function update_updated_at_column();

create trigger update_agents_updated_at before update on agents
  for each row execute function update_updated_at_column();

create trigger update_products_updated_at before update on products
  for each row execute function update_updated_at_column();

create trigger update_step_fields_updated_at before update on step_fields
  for each row execute function update_updated_at_column();

create trigger update_document_types_updated_at before update on document_types
  for each row execute function update_updated_at_column();

create trigger update_dossiers_updated_at before update on dossiers
  for each row execute function update_updated_at_column();

create trigger update_step_field_values_updated_at before update on step_field_values
  for each row execute function update_updated_at_column();

create trigger update_documents_updated_at before update on documents
  for each row execute function update_updated_at_column();

create trigger update_orders_updated_at before update on orders
  for each row execute function update_updated_at_column();

create trigger dossier_status_changed after update on dossiers
  for each row execute function create_dossier_status_event();

create trigger document_version_created after insert on document_versions
  for each row execute function create_document_upload_event();
