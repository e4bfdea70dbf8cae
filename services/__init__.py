"""The logic: no Celery, no vendor SDK, no environment."""
