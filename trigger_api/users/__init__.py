"""Users, administered by administrators."""
