"""Examples of the calls that tell people: pictures of offers, settings, schedules, sends."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.example_ids import (
    CUSTOMER,
    EVENT,
    KEY,
    OFFER,
    PROGRAM,
    THEN,
    Example,
)

OFFER_IN: Final = {
    "title": "Soin offert",
    "description": "Un soin hydratant avec toute coupe.",
    "start_date": "2026-12-01",
    "end_date": "2026-12-31",
    "coupon_expiry_date": "2027-01-31",
}
OFFER_SHAPE: Final[dict[str, Any]] = {
    **OFFER_IN,
    "id": OFFER,
    "type": "INSTANT",
    "exclusion": "",
    "shown_in_app": True,
    "visible_now": False,
    "created_at": THEN,
    "updated_at": THEN,
    "version": 1,
}
# One pixel.
_PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQMAAAAl21bKAAAAA1BMVEUAAACnej3aAAAACk"
    "lEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_PICTURED: Final = {
    **OFFER_SHAPE,
    "image_url": f"https://meche.example/m/salon-leonie/offers/{OFFER}/image/5f1d…",
}
_LATER: Final = {
    "start_date": "2027-12-01",
    "end_date": "2027-12-31",
    "coupon_expiry_date": "2028-01-31",
}

_SETTINGS: Final = {
    "receipts": "ALWAYS",
    "expiry_warnings": True,
    "tier_changes": True,
    "collect_email_points": 5,
    "quiet_from": "21:00",
    "quiet_until": "08:00",
    "daily_sms_cap": 1000,
    "version": 2,
}
_WORDS: Final = {
    "kind": "OFFER",
    "channel": "SMS",
    "language_code": "fr",
    "body": "{{ chain }} : {{ offer }} {{ link }}",
}
_TEMPLATE: Final = {**_WORDS, "own": True, "variables": ["chain", "offer", "link"]}
_PLANNED_IN: Final = {
    "type": "BIRTHDAY",
    "days_before": 7,
    "offer_id": OFFER,
    "sms_body": "Salon Léonie : bonne fête! Un soin vous attend.",
    "email_subject": "Bonne fête!",
    "email_body": "Un soin vous attend.",
    "english": {
        "sms_body": "Salon Léonie: happy birthday! A treatment awaits you.",
        "email_subject": "Happy birthday!",
        "email_body": "A treatment awaits you.",
    },
    "enabled": True,
}
_PLANNED: Final = {
    **_PLANNED_IN,
    "id": EVENT,
    "held_by_plan": False,
    "created_at": THEN,
    "updated_at": THEN,
    "version": 1,
}
_JOINING: Final = {
    "text_to_join": {"number": "+15145550101", "keyword": "JOIGNEZ"},
    "allowed": True,
    "sender_number": "+15145550101",
}
_NOTICE: Final = {
    "program_id": PROGRAM,
    "changes": [
        {
            "section": "EXPIRY",
            "lines_fr": ["Les points n'expirent jamais."],
            "lines_en": ["Points never expire."],
        }
    ],
    "up_to": 12,
    "changed_at": "2026-11-20T17:00:00Z",
}
_SEND: Final = {
    "id": EVENT,
    "offer_id": OFFER,
    "status": "SENDING",
    "send_at": THEN,
    "created_at": THEN,
    "sms_body": "",
    "email_subject": "",
    "email_body": "",
    "report": {
        "chosen": 30,
        "queued": 10,
        "sent": 4,
        "delivered": 14,
        "failed": 0,
        "blocked": 2,
        "unknown": 0,
        "taken": 3,
        "stopped": 0,
        "used": 1,
    },
}
_SENT: Final = {
    "id": EVENT,
    "customer_id": CUSTOMER,
    "channel": "SMS",
    "kind": "STATUS",
    "status": "QUEUED",
    "attempts": 0,
    "created_at": THEN,
    "updated_at": THEN,
}

TELLING_EXAMPLES: Final = {
    "RetrieveMessageSettings": Example(None, {"settings": _SETTINGS, "sms_today": 12}),
    "UpdateMessageSettings": Example(
        {"settings": {"receipts": "FIRST_ONLY"}},
        {"settings": {**_SETTINGS, "receipts": "FIRST_ONLY", "version": 3}},
    ),
    "ListMessageTemplates": Example(None, {"templates": [_TEMPLATE]}),
    "SetMessageTemplate": Example({"template": _WORDS}, {"template": _TEMPLATE, "warnings": []}),
    "ResetMessageTemplate": Example(
        {"template": {name: _WORDS[name] for name in ("kind", "channel", "language_code")}},
        {"template": {**_TEMPLATE, "own": False}},
    ),
    "PreviewMessage": Example(
        {"template": _WORDS},
        {
            "body": "Salon Léonie : Soin offert https://meche.example/m/salon-leonie",
            "encoding": "GSM_7",
            "segments": 1,
            "warnings": [],
        },
    ),
    "RetrieveTextToJoin": Example(None, _JOINING),
    "SetKeyword": Example({"keyword": "JOIGNEZ"}, _JOINING),
    "SendStatus": Example({"idempotency_key": KEY, "customer_id": CUSTOMER}, {"message": _SENT}),
    "ListScheduledMessages": Example(None, {"scheduled_messages": [_PLANNED], "allowed": True}),
    "CreateScheduledMessage": Example(
        {"idempotency_key": KEY, "scheduled_message": _PLANNED_IN},
        {"scheduled_message": _PLANNED, "warnings": []},
    ),
    "UpdateScheduledMessage": Example(
        {"scheduled_message": {"days_before": 0, "offer_id": ""}},
        {"scheduled_message": {**_PLANNED, "days_before": 0, "version": 2}, "warnings": []},
    ),
    "DeleteScheduledMessage": Example(None, {}),
    "SearchAudience": Example(
        {"filter": {"not_visited_for_days": 90, "balance_min": 10}, "limit": 50},
        {
            "customers": [
                {
                    "customer_id": CUSTOMER,
                    "channel": "SMS",
                    "balance": 12,
                    "tier_name": "Or",
                    "last_visit_at": THEN,
                    "language_code": "fr",
                }
            ],
            "total": 30,
            "reachable": 28,
        },
    ),
    "ListProgramNotices": Example(
        None,
        {
            "staff": [_NOTICE],
            "members": [
                {
                    **_NOTICE,
                    "proposed_message": {
                        "sms_body": "{{ chain }}: le programme Vos points change. "
                        "Tous les détails: {{ link }}",
                        "email_subject": "{{ chain }}: du nouveau dans Vos points",
                        "email_body": "Bonjour,",
                        "english": {
                            "sms_body": "{{ chain }}: the program Vos points has changed. "
                            "All the details: {{ link }}",
                            "email_subject": "{{ chain }}: news of Vos points",
                            "email_body": "Hello,",
                        },
                    },
                }
            ],
        },
    ),
    "ReadProgramNotice": Example(
        {"program_id": PROGRAM, "audience": "STAFF", "up_to": 12},
        {},
    ),
    "CreateSend": Example(
        {
            "idempotency_key": KEY,
            "send": {
                "offer_id": OFFER,
                "filter": {"not_visited_for_days": 90},
                "excluded_customer_ids": [CUSTOMER],
            },
        },
        {"send": _SEND, "warnings": ["offer_not_started"]},
    ),
    "PreviewSend": Example(
        {"send": {"offer_id": OFFER, "filter": {"not_visited_for_days": 90}}},
        {
            "messages": [
                {
                    "channel": "SMS",
                    "language_code": "en",
                    "body": "Salon Léonie: 20 % off your cut. "
                    "https://meche.example/m/leonie/offers/1?s=sms STOP to stop",
                    "encoding": "GSM_7",
                    "segments": 1,
                    "warnings": [],
                    "reachable": 212,
                }
            ],
            "texts": 212,
        },
    ),
    "ListSends": Example(None, {"sends": [_SEND]}),
    "RetrieveSend": Example(None, {"send": _SEND}),
    "StopSend": Example(None, {"send": {**_SEND, "status": "STOPPED"}}),
    "ProvisionNumber": Example(
        {"number": "+15145550101", "keyword": "JOIGNEZ"},
        {"text_to_join": {"number": "+15145550101", "keyword": "JOIGNEZ"}},
    ),
    "ReleaseNumber": Example(None, {}),
    "RetrieveChainNumber": Example(
        None,
        {
            "text_to_join": {"number": "+15145550101", "keyword": "JOIGNEZ"},
            "allowed": True,
            "history": [
                {
                    "act": "GIVEN",
                    "number": "+15145550101",
                    "keyword": "JOIGNEZ",
                    "actor_type": "OPERATOR",
                    "actor_id": "support-3",
                    "occurred_at": THEN,
                }
            ],
        },
    ),
    "DuplicateOffer": Example({"idempotency_key": KEY}, {"offer": {**OFFER_SHAPE, **_LATER}}),
    "SetOfferImage": Example({"image": _PIXEL}, {"offer": _PICTURED}),
    "DeleteOfferImage": Example(None, {"offer": OFFER_SHAPE}),
}
