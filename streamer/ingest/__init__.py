"""Cameras in: one decoder thread per connection, another that retries, the newest frame in a mailbox."""
