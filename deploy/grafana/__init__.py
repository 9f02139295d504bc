"""What Grafana shows, and how it is made."""
