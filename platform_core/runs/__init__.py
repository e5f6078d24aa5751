"""Stored runs: accepted, queued, executed, ended, kept, removed."""
