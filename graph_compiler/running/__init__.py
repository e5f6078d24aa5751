"""How a planned graph is executed, node by node, without Dagster."""
