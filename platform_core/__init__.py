"""What two or more Headrace packages need: settings, database, stores, auth, web glue. It knows no Dagster."""
