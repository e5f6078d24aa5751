"""What triggers bring to runs, and when timers fire."""
