"""From a violation to the subscriber: the message, its picture, the outbox and the broker."""
