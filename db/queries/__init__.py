"""Every query, as a named function that takes a session."""
