"""What members are called where the panel lists them."""

from __future__ import annotations

from collections.abc import Iterable

from loyalty.enrollment.v1.enrollment_pb2 import FindMembersRequest, Member

from services.gateway.admin.desk import Desk
from services.gateway.web.i18n import format_phone


async def member_names(desk: Desk, member_ids: Iterable[str]) -> dict[str, str]:
    """The name of each, else her phone or e-mail; those who were erased have none."""
    ids = sorted({one for one in member_ids if one})
    if not ids:
        return {}
    found = await desk.deps.clients.enrollment.FindMembers(
        FindMembersRequest(chain_id=desk.chain_id, member_ids=ids)
    )
    return {member.id: name_of(member) for member in found.members}


def name_of(member: Member) -> str:
    """Her name, else her phone or e-mail."""
    name = f"{member.given_name} {member.family_name}".strip()
    return name or format_phone(member.phone) or member.email
