"""What `make` needs besides starting the platform: its environment and its checks."""
