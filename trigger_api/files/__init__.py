"""Files of owners and of runs."""
