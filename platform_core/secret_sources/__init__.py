"""Secrets that are kept elsewhere and read through: from the environment, from mounted files, from Vault."""
