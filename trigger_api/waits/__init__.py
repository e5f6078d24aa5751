"""What runs wait for from outside: calls of addresses, and people who approve or reject."""
