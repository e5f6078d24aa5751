"""What lives as long as the application: its state, and what it remembers and follows."""
