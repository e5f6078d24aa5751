"""Node types that speak to mail servers, brokers and databases."""
