"""How a planned graph is executed, node by node. Only `gathering` and `retrying` know Dagster."""
