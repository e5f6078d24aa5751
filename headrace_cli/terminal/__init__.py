"""What people and machines see of a command: tables, lines, progress."""
