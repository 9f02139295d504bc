"""Who: chains, salons, staff, tablets, API keys, members, sessions and one-time codes.

Publishes `loyalty.enrollment.v1` (no personal data) and `loyalty.enrollment.contact.v1` (which
only messaging reads). Consumes nothing. Never counts points and never sends a message itself.
"""
