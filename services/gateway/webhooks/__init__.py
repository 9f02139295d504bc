"""What providers tell us by HTTP: texts that arrive, and what became of those that left."""

from fastapi import APIRouter

from services.gateway.webhooks import twilio

router = APIRouter(include_in_schema=False)
router.include_router(twilio.router)
