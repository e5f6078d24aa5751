"""Node types that read and write files and tables in them."""
