"""Limits that more than one room holds to: what one side gives the other takes back, and neither has its own figure."""

from __future__ import annotations

DEFAULT_PAGE = 50
LARGEST_PAGE = 200
"""Items of one page of a list."""
LARGEST_CURSOR = 1000
"""Characters of a cursor; what it holds is a time and an id, or two names."""
LARGEST_BATCH = 1000
"""Runs that are launched by one request."""
LONGEST_PASSWORD = 1000
"""Characters, where one is set and where it is given."""
