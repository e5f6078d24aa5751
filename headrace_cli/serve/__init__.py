"""The services that `up` and Kubernetes start, and what must be true before they begin."""
