"""Events become notifications, notifications become deliveries, deliveries are sent."""
