"""Telling: what leaves by SMS and e-mail, and who agreed to it.

Owns consent by address, inbound texts, deliveries with their attempts, and the sandbox mailbox.
Publishes `consent.changed` and `delivery.*` on `loyalty.messaging.v1`, without addresses or words.
Consumes enrollment's chains and, alone of all services, its contacts and one-time codes. Never
sends without having asked consent at that moment, and never sends twice what may have left.
"""
