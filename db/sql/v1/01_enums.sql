-- @transaction

do $guard$
begin
  if to_regtype('public.user_status') is null then
    create type user_status as enum ('PENDING', 'ACTIVE', 'SUSPENDED');
  end if;
  if to_regtype('public.order_status') is null then
    create type order_status as enum ('PENDING', 'PAID', 'FAILED', 'REFUNDED', 'CANCELLED');
  end if;
  if to_regtype('public.actor_type') is null then
    create type actor_type as enum ('USER', 'AGENT', 'SYSTEM');
  end if;
end
$guard$;

-- A value may be used only after the transaction that added it.
-- @alone

alter type dossier_type add value if not exists 'DUBAI' after 'CORP';

alter type dossier_type add value if not exists 'COMPLIANCE' after 'BANKING';

alter type dossier_type add value if not exists 'ACCOUNTING' after 'COMPLIANCE';

alter type dossier_status_code add value if not exists 'IN_PROGRESS' after 'WAITING_48H';

alter type dossier_status_code add value if not exists 'UNDER_REVIEW' after 'IN_PROGRESS';

alter type dossier_status_code add value if not exists 'COMPLETED' after 'UNDER_REVIEW';

alter type document_status add value if not exists 'OUTDATED' after 'REJECTED';

alter type event_type add value if not exists 'DOSSIER_CREATED' before 'DOSSIER_STATUS_CHANGED';

alter type event_type add value if not exists 'PAYMENT_RECEIVED' after 'DOCUMENT_REVIEWED';

alter type event_type add value if not exists 'PAYMENT_FAILED' after 'PAYMENT_RECEIVED';

alter type event_type add value if not exists 'MESSAGE_SENT' after 'PAYMENT_FAILED';

alter type notification_status add value if not exists 'BOUNCED' after 'FAILED';
