"""The few parts of Kubernetes that runs and container nodes need."""
