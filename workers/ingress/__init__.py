"""HTTP in: what providers say afterwards, and what machines ask about the fleet's health."""
