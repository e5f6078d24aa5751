"""Who did what, when and from where: appended with the change it tells of, chained, kept for its own time."""
