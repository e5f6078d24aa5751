"""The code location that Dagster loads: its schedules and sensors, and the processes that serve it and its UI."""
