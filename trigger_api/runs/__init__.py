"""Runs: launched, listed, read and cancelled."""
