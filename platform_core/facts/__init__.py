"""What is true of a run, as values that every other room shares."""
