"""The rules of validation: each takes the draft of a document and yields what it finds, one family a file."""
