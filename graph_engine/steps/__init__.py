"""The rules of a step: when it begins, how it is tried, what follows from its end."""
