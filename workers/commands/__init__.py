"""The commands of ``fleet``, one module per concern."""
