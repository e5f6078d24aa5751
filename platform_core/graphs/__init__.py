"""Stored graphs and their versions."""
