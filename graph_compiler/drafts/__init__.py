"""Documents that may be wrong: as much of them as can be read, so that one mistake hides no other."""
