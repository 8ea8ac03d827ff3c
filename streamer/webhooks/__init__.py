"""Webhooks: HTTP servers that are told of alerts and cameras, each out of a ledger of its own in the outbox."""
