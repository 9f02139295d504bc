"""What only a sandbox chain has: a clock that can be moved, and a mailbox that can be read."""

from fastapi import APIRouter

from services.gateway.sandbox import clock, mailbox

router = APIRouter(prefix="/v2/sandbox", tags=["Sandbox"])
router.include_router(clock.router)
router.include_router(mailbox.router)
