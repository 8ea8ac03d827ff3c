"""What is in a picture: networks, their weights and training. Knows no cameras, no threads and no clock."""
