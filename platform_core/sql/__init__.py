"""Users' own databases, for nodes; here because SQLAlchemy is imported nowhere else."""
