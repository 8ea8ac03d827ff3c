"""Being a good service: readiness and watchdog towards systemd, signs of life of every stage, signals."""
