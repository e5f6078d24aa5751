"""Templates and queries inside documents, bounded in what they may build."""
