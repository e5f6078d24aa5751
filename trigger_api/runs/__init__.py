"""Runs: launched, listed, read and canceled."""
