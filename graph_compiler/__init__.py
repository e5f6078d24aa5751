"""Graph text in, issues or a Dagster job out: pure, without network, database, clock or environment.

Importing `graph_compiler.checking.validation` never imports Dagster; only `compilation` and `ops` do.
"""
