"""The soak: a load whose right result is known, processes that are killed meanwhile, and an audit of what came."""
