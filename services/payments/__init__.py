"""What Stripe says of an order becomes what the platform's tables say of it."""
