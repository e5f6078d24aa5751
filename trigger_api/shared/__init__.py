"""What several resources of the API share."""
