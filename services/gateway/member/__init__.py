"""The customer web client at /m/{slug}."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
