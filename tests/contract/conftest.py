"""The real side of the contracts: a home with a database, as the integration tests have it."""

from tests.integration.definitions.conftest import create_site, dagster_template, site

__all__ = ["create_site", "dagster_template", "site"]
