"""The delivery log: what webhooks received, searched, read and replayed."""
