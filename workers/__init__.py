"""The processes: settings, composition, Celery app, relay, ingress and the command line."""
