"""The parts of `headrace up`: the supervisor and what it starts."""
