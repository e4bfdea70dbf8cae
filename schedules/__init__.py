"""When things tick."""
