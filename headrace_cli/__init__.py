"""The command line: composes the packages into processes and is the one place that may import all of them."""
