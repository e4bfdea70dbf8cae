"""The provider sandbox: an HTTP server that answers the vendors' own SDKs as the vendors do.

Each vendor has its modules (``sendgrid.py`` and ``sendgrid_*.py``); what they share is the store, the faults,
the courier that posts callbacks, the control API and the pages.
"""
