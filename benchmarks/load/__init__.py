"""Load from outside: processes of their own, so that what makes the load does not slow what is measured."""
