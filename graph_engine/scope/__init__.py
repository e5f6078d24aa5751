"""A run or a call in progress: its steps, threads and timers, as they stand."""
