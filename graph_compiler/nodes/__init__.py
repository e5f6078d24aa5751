"""The built-in node types, one file each; they reach the world only through the `NodeRuntime` of a call."""
