"""What the engine is given beside the journal: time, limits, and what nodes reach."""
