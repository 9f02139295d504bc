"""The topics of the platform (house.md 7), and the command that creates those that are missing.

`python -m deploy.topics` reads `KAFKA_BOOTSTRAP`; it may be repeated, and changes no topic that is
there.
"""

import asyncio
import os
import sys
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

PARTITIONS = 3
REPLICATION_MAX = 3

# One topic per publishing service (house.md 7), contacts apart; each with its dead letters.
TOPICS = (
    "loyalty.enrollment.v1",
    "loyalty.enrollment.contact.v1",
    "loyalty.points.v1",
    "loyalty.rewards.v1",
    "loyalty.offers.v1",
    "loyalty.messaging.v1",
)
DEAD_LETTERS = tuple(f"{topic}.dlq" for topic in TOPICS)


class TopicsRefused(RuntimeError):
    """Kafka answered, and did not create what it was asked for."""


async def create_missing(bootstrap_servers: str) -> int:
    """Create the topics that are missing on a real Kafka; returns how many were.

    Raises `TopicsRefused` where Kafka refuses one: its client gives the answer back as it came.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=15_000)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        brokers = len((await admin.describe_cluster())["brokers"])
        copies = min(REPLICATION_MAX, brokers)
        missing = [
            NewTopic(name, 1 if name in DEAD_LETTERS else PARTITIONS, replication_factor=copies)
            for name in (*TOPICS, *DEAD_LETTERS)
            if name not in there
        ]
        if missing:
            answer = await admin.create_topics(missing)
            if refused := refusals(answer.topic_errors):
                raise TopicsRefused("\n".join(refused))
        return len(missing)
    finally:
        await admin.close()


def refusals(topic_errors: Iterable[tuple[str, int, str | None]]) -> list[str]:
    """One line for each topic that Kafka refused; one that somebody else just made is fine."""
    return [
        f"{topic}: {message or for_code(code).__name__}"
        for topic, code, message in topic_errors
        if code not in (0, TopicAlreadyExistsError.errno)
    ]


def main() -> None:
    """Create what is missing and say how many topics that were."""
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP")
    if not bootstrap:
        sys.exit("KAFKA_BOOTSTRAP: missing; host:port of Kafka")
    try:
        created = asyncio.run(create_missing(bootstrap))
    except TopicsRefused as refused:
        sys.exit(f"Kafka refused topics:\n{refused}")
    there = len(TOPICS) + len(DEAD_LETTERS) - created
    sys.stdout.write(f"topics: {created} created, {there} were there\n")


if __name__ == "__main__":
    main()
