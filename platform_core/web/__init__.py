"""What both web applications share: problem documents, dependencies, request context, health and metrics routes."""
