"""Webhooks: signed calls from outside that start runs."""
