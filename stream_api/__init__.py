"""The stream application: the events of runs over Server-Sent Events, from any cursor, exactly once and in order."""
