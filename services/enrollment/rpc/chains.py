"""Methods about chains and salons."""

from __future__ import annotations

from loyalty.enrollment.v1 import enrollment_pb2 as pb

from services.enrollment.domain.chains import Language, Plan, read_logo
from services.enrollment.rpc import reading, writing
from services.enrollment.usecases import chains, salons
from services.enrollment.usecases.deps import Deps


class ChainMethods:
    """Chains and salons."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def CreateChain(
        self, request: pb.CreateChainRequest, context: object
    ) -> pb.CreateChainResponse:
        command = chains.CreateChain(
            request=reading.request_of(request),
            name=request.name,
            slug=request.slug,
            plan=reading.plan_or_none(request.plan) or Plan.PARTANT,
            sandbox=request.sandbox,
            home_time_zone=request.home_time_zone,
            currency=request.currency,
            language=reading.language_or_none(request.language) or Language.FR,
            brand_color=request.brand_color,
            salon_name=request.salon_name,
            salon_address=request.salon_address,
            owner_email=request.owner_email,
            owner_name=request.owner_name,
            owner_password=request.owner_password,
        )
        written = await chains.create_chain(self._deps, command, answer=writing.new_chain)
        return pb.CreateChainResponse.FromString(written)

    async def GetChain(self, request: pb.GetChainRequest, context: object) -> pb.GetChainResponse:
        chain, logo = await chains.get_chain(
            self._deps,
            chain_id=reading.chain_id(request.chain_id) if request.chain_id else None,
            slug=request.slug,
            include_logo=request.include_logo,
        )
        return pb.GetChainResponse(chain=writing.chain(chain, logo=logo))

    async def ListChains(
        self, request: pb.ListChainsRequest, context: object
    ) -> pb.ListChainsResponse:
        after = None
        if request.after_chain_id:
            after, _ = await chains.get_chain(
                self._deps,
                chain_id=reading.chain_id(request.after_chain_id),
                slug="",
                include_logo=False,
            )
        found = await chains.list_chains(self._deps, after=after)
        return pb.ListChainsResponse(chains=[writing.chain(chain) for chain in found])

    async def UpdateChain(
        self, request: pb.UpdateChainRequest, context: object
    ) -> pb.UpdateChainResponse:
        command = chains.UpdateChain(
            chain_id=reading.chain_id(request.chain_id),
            name=request.name if request.HasField("name") else None,
            brand_color=request.brand_color if request.HasField("brand_color") else None,
            language=reading.language_or_none(request.language),
            logo=read_logo(image=request.logo, media_type=request.logo_media_type, field="logo")
            if request.HasField("logo")
            else None,
            postal_address=request.postal_address if request.HasField("postal_address") else None,
            contact_phone=request.contact_phone if request.HasField("contact_phone") else None,
            actor=reading.actor(request.actor),
        )
        chain = await chains.update_chain(self._deps, command)
        return pb.UpdateChainResponse(chain=writing.chain(chain))

    async def SetPlan(self, request: pb.SetPlanRequest, context: object) -> pb.SetPlanResponse:
        chain = await chains.set_plan(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            plan=reading.plan_or_none(request.plan),
            actor=reading.actor(request.actor),
        )
        return pb.SetPlanResponse(chain=writing.chain(chain))

    async def CreateSalon(
        self, request: pb.CreateSalonRequest, context: object
    ) -> pb.CreateSalonResponse:
        command = salons.CreateSalon(
            request=reading.request_of(request),
            chain_id=reading.chain_id(request.chain_id),
            name=request.name,
            time_zone=request.time_zone,
            address=request.address,
            phone=request.phone,
            actor=reading.actor(request.actor),
        )
        written = await salons.create_salon(self._deps, command, answer=writing.new_salon)
        return pb.CreateSalonResponse.FromString(written)

    async def UpdateSalon(
        self, request: pb.UpdateSalonRequest, context: object
    ) -> pb.UpdateSalonResponse:
        command = salons.UpdateSalon(
            chain_id=reading.chain_id(request.chain_id),
            salon_id=reading.salon_id(request.salon_id),
            name=request.name if request.HasField("name") else None,
            time_zone=request.time_zone if request.HasField("time_zone") else None,
            address=request.address if request.HasField("address") else None,
            phone=request.phone if request.HasField("phone") else None,
            active=request.active if request.HasField("active") else None,
            actor=reading.actor(request.actor),
        )
        salon = await salons.update_salon(self._deps, command)
        return pb.UpdateSalonResponse(salon=writing.salon(salon))

    async def ListSalons(
        self, request: pb.ListSalonsRequest, context: object
    ) -> pb.ListSalonsResponse:
        found = await salons.list_salons(self._deps, reading.chain_id(request.chain_id))
        return pb.ListSalonsResponse(salons=[writing.salon(salon) for salon in found])
