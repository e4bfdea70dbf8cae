"""SendGrid, Twilio and Stripe behind small protocols."""
