"""The document: its models, and how its text is read without losing places."""
