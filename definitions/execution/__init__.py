"""What executes a run inside its worker, and what the run's nodes are given."""
