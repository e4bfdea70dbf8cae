"""The operators' pages: the fleet at a glance, each row's story, and what a person can do about it."""
