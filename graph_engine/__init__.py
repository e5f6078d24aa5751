"""Executes a graph's plan: what runs when, retries, loops, calls, waits, and going on after a loss.

It knows neither Dagster nor a database nor a clock: it is given a Journal (what has happened, durable), a Runtime (what
nodes reach) and a Clock. README.md tells the protocols to who implements them.
"""
