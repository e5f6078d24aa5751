"""What `headrace doctor` looks at: the machine, the home, the database; and what it finds."""
