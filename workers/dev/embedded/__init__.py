"""PostgreSQL and a Redis-compatible server as child processes, for development, the demo and the tests."""
