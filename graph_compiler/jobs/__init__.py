"""Dagster jobs from graph plans. The one room of the compiler that imports Dagster."""
