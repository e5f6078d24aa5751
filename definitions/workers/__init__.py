"""The processes that execute runs: warm workers on one machine, a pod for each run in a cluster."""
