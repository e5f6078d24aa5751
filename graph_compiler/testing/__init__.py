"""Fakes of what a node meets at run time, for tests here and in other packages."""
