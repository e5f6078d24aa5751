"""Graphs and their versions."""
