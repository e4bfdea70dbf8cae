create type user_status as enum ('PENDING', 'ACTIVE', 'SUSPENDED');

create type order_status as enum ('PENDING', 'PAID', 'FAILED', 'REFUNDED', 'CANCELLED');

create type actor_type as enum ('USER', 'AGENT', 'SYSTEM');

create type dossier_type as enum ('LLC', 'CORP', 'DUBAI', 'BANKING', 'COMPLIANCE', 'ACCOUNTING');

create type dossier_status_code as enum (
  'QUALIFICATION',
  'FORM_SUBMITTED',
  'NM_PENDING',
  'LLC_ACCEPTED',
  'EIN_PENDING',
  'BANK_PREPARATION',
  'BANK_OPENED',
  'WAITING_48H',
  'IN_PROGRESS',
  'UNDER_REVIEW',
  'COMPLETED',
  'CLOSED',
  'ERROR'
);

create type document_status as enum ('PENDING', 'APPROVED', 'REJECTED', 'OUTDATED');

create type review_status as enum ('APPROVED', 'REJECTED');

create type event_type as enum (
  'DOSSIER_CREATED',
  'DOSSIER_STATUS_CHANGED',
  'STEP_STARTED',
  'STEP_COMPLETED',
  'DOCUMENT_UPLOADED',
  'DOCUMENT_REVIEWED',
  'PAYMENT_RECEIVED',
  'PAYMENT_FAILED',
  'MESSAGE_SENT',
  'ERROR'
);

create type notification_channel as enum ('WHATSAPP', 'EMAIL', 'IN_APP', 'SMS', 'PUSH');

create type notification_status as enum ('PENDING', 'SENT', 'FAILED', 'BOUNCED');
