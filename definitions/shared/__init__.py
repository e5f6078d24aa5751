"""What all rooms share: names, addresses, pins, and patience with a database that is away."""
