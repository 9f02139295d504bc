"""For whoever hosts the platform: chains with everything they need, and their plans (D40)."""

from fastapi import APIRouter

from services.gateway.operator import chains, numbers

router = APIRouter()
router.include_router(chains.router)
router.include_router(numbers.router)
