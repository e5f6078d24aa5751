"""Figures: their samples and goals, and the table and page that are made of them."""
