"""One file per revision, in the order of their numbers; a published one never changes."""
