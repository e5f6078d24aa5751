"""Who may follow what, and what lives as long as the application."""
