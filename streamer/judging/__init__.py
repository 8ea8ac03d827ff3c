"""From detections to alerts: one camera's rules, its snapshots, and the thread that runs them for all cameras."""
