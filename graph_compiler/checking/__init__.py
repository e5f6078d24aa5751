"""Text in, a checked document or every issue with its place out; and the schema that editors check with."""
