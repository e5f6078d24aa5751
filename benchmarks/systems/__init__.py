"""What scenarios measure: Headrace as a user starts it, plain Dagster beside it, and the graphs that both run."""
