"""What tests of the engine, and of what implements its protocols, share."""
