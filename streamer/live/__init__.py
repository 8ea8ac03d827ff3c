"""What the cameras show now, for people who watch: drawn only while somebody does, with everybody's face blurred."""
