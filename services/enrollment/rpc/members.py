"""Methods about members and their one-time codes."""

from __future__ import annotations

from loyalty.enrollment.v1 import enrollment_pb2 as pb

from services.chassis.moments import timestamp
from services.enrollment.domain.errors import CodeWrong, NotFound
from services.enrollment.domain.ids import MemberId
from services.enrollment.rpc import reading, writing
from services.enrollment.usecases import codes, directory, members, proofs
from services.enrollment.usecases.deps import Deps
from services.enrollment.wire import CHANNELS, LANGUAGES


class MemberMethods:
    """Members and their one-time codes."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def EnrollMember(
        self, request: pb.EnrollMemberRequest, context: object
    ) -> pb.EnrollMemberResponse:
        command = members.EnrollMember(
            request=reading.request_of(request),
            chain_id=reading.chain_id(request.chain_id),
            phone=request.phone,
            email=request.email,
            given_name=request.given_name,
            family_name=request.family_name,
            birthday=request.birthday,
            language=reading.language_or_none(request.language),
            source=reading.source(request.source),
            salon_id=reading.salon_id(request.salon_id) if request.salon_id else None,
            consents=tuple(reading.first_grant(grant) for grant in request.consents),
            actor=reading.actor(request.actor),
            enrolled_at=reading.moment_or_none(
                request.enrolled_at, given=request.HasField("enrolled_at")
            ),
            start_session=request.start_session,
            note=request.note,
            reference_id=request.reference_id,
            refuse_existing=request.refuse_existing,
            proven_phone=request.proven_phone,
        )
        written = await members.enroll_member(self._deps, command, answer=writing.enrolled)
        return pb.EnrollMemberResponse.FromString(written)

    async def GetMember(
        self, request: pb.GetMemberRequest, context: object
    ) -> pb.GetMemberResponse:
        member = await members.get_member(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            member_id=reading.member_id(request.member_id),
        )
        return pb.GetMemberResponse(member=writing.member(member))

    async def FindMembers(
        self, request: pb.FindMembersRequest, context: object
    ) -> pb.FindMembersResponse:
        found = await members.find_members(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            phones=tuple(request.phones),
            emails=tuple(request.emails),
            member_ids=_readable_ids(request),
        )
        return pb.FindMembersResponse(members=[writing.member(member) for member in found])

    async def SearchMembers(
        self, request: pb.SearchMembersRequest, context: object
    ) -> pb.SearchMembersResponse:
        page = await directory.search_members(
            self._deps,
            directory.SearchMembers(
                chain_id=reading.chain_id(request.chain_id),
                query=request.query,
                limit=request.limit,
                cursor=request.cursor,
                sort=reading.sort(request.sort),
            ),
        )
        return pb.SearchMembersResponse(
            members=[writing.member(member) for member in page.members],
            cursor=page.cursor,
            total=page.total,
        )

    async def UpdateMember(
        self, request: pb.UpdateMemberRequest, context: object
    ) -> pb.UpdateMemberResponse:
        command = members.UpdateMember(
            chain_id=reading.chain_id(request.chain_id),
            member_id=reading.member_id(request.member_id),
            given_name=request.given_name if request.HasField("given_name") else None,
            family_name=request.family_name if request.HasField("family_name") else None,
            birthday=request.birthday if request.HasField("birthday") else None,
            language=reading.language_or_none(request.language),
            phone=request.phone if request.HasField("phone") else None,
            email=request.email if request.HasField("email") else None,
            note=request.note if request.HasField("note") else None,
            reference_id=request.reference_id if request.HasField("reference_id") else None,
            actor=reading.actor(request.actor),
        )
        member = await members.update_member(self._deps, command)
        return pb.UpdateMemberResponse(member=writing.member(member))

    async def RequestCode(
        self, request: pb.RequestCodeRequest, context: object
    ) -> pb.RequestCodeResponse:
        requested = await codes.request_code(
            self._deps,
            codes.RequestCode(
                chain_id=reading.chain_id(request.chain_id),
                phone=request.phone,
                email=request.email,
                language=reading.language_or_none(request.language),
                adder_id=reading.member_id(request.member_id) if request.member_id else None,
            ),
        )
        return pb.RequestCodeResponse(
            challenge_id=str(requested.challenge_id),
            masked_address=requested.masked_address,
            expires_at=timestamp(requested.expires_at),
            channel=CHANNELS[requested.channel],
        )

    async def VerifyCode(
        self, request: pb.VerifyCodeRequest, context: object
    ) -> pb.VerifyCodeResponse:
        try:
            chain_id = reading.chain_id(request.chain_id)
            challenge_id = reading.challenge_id(request.challenge_id)
        except NotFound:
            # Nobody learns which challenges exist.
            raise CodeWrong(field="code") from None
        verified = await codes.verify_code(
            self._deps,
            chain_id=chain_id,
            challenge_id=challenge_id,
            code=request.code,
            session_token=request.session_token,
        )
        return pb.VerifyCodeResponse(
            member=writing.member(verified.member),
            session_token=verified.session_token,
            expires_at=timestamp(verified.expires_at),
        )

    async def ConfirmAddress(
        self, request: pb.ConfirmAddressRequest, context: object
    ) -> pb.ConfirmAddressResponse:
        confirmed = await proofs.confirm_address(self._deps, request.proof)
        return pb.ConfirmAddressResponse(
            chain_id=str(confirmed.member.chain_id),
            language=LANGUAGES[confirmed.member.language],
        )


def _readable_ids(request: pb.FindMembersRequest) -> tuple[MemberId, ...]:
    """The ids that have the form of one; the others are nobody's."""
    found: list[MemberId] = []
    for text in request.member_ids:
        try:
            found.append(reading.member_id(text))
        except NotFound:
            continue
    return tuple(found)
