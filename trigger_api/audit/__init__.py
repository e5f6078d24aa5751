"""The audit log: read, exported and verified; nothing here changes it."""
