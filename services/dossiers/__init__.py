"""Dossiers are opened when an order is paid, and go on when their documents are approved."""
