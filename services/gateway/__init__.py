"""Every door from outside: POS API, panel, customer web client, tablet, sandbox.

Owns no database. Speaks gRPC to the five services, Redis for limits, countdowns and live news.
Publishes no event and consumes none. Never decides a rule of loyalty: it asks the service that
owns it and puts the answer into words.
"""
