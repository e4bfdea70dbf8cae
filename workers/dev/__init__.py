"""What serves development: embedded servers, the provider sandbox, the demo."""
