"""For whoever hosts the platform: chains with everything they need, and their plans (D40)."""

from services.gateway.operator.chains import router

__all__ = ["router"]
