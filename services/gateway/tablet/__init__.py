"""The counter screen at /t: a tablet of the salon serves members who have no phone at hand."""

from fastapi import APIRouter

from services.gateway.tablet import counter, door, wallet

router = APIRouter()
for _room in (counter, wallet, door):
    router.include_router(_room.router)
