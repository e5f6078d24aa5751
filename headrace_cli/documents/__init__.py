"""Documents and params named on the command line."""
