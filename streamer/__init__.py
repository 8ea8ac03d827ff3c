"""What flows: cameras in, alerts out. The only package with threads, sockets and files."""
