"""Node types that turn values into values."""
