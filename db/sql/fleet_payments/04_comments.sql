-- What the table reference tells.
comment on table fleet.settlements is 'An order whose payment was settled, once: with what, and how the fleet learned of it.';
comment on table fleet.payments is 'What Stripe has said of a payment of an order: paid, refunded, disputed.';
comment on table fleet.payment_failures is 'A payment that failed, told once.';
comment on table fleet.findings is 'What does not agree between the platform and Stripe, what was done about it, and who resolved it.';
comment on table fleet.sweeps is 'How far a sweep of Stripe''s lists has come, to the page.';
comment on table fleet.session_checks is 'When a pending order''s Checkout Session is to be looked at next.';
comment on table fleet.notices is 'Something to tell a person that no event of the platform''s stands for.';
comment on table fleet.advances is 'A dossier to look at: does its current step end?';
comment on table fleet.step_completions is 'A step that the fleet has ended, once.';
comment on table fleet.letters is 'An e-mail to somebody who has no account yet: a payment link, and its reminder.';
comment on column fleet.inbox.learned is 'Whether the provider has told it or had to be asked.';
