"""What the engine writes and reads: records of a run, and what they prove."""
