"""Values, their types and texts, and the small facts that everything else is made of."""
