"""What a worker can be told to do: thin shells around the services."""
