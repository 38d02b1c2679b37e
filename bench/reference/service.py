"""A plain event service, as somebody writes it in an afternoon. Rollcall is measured against it.

FastAPI checks a batch and publishes it to NATS as one message. A worker takes the message, looks up
the id of each event, adds a row if there is none, and commits once. The message is never on disk,
and the service has no rollups.

`rollcall-bench` starts it. To start it by hand, with a nats-server that uses nats-server.conf:

    pip install -r requirements.txt
    export DATABASE_URL=postgresql+psycopg2://user:password@host/database NATS_URL=nats://127.0.0.1:4222
    uvicorn service:app
    python service.py worker
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import nats
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, DateTime, String, Uuid, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

SUBJECT = "plain.events"
engine = create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)


class Base(DeclarativeBase):
    pass


class StoredEvent(Base):
    __tablename__ = "plain_events"
    event_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    event_type: Mapped[str] = mapped_column(String(100), index=True)
    properties: Mapped[dict[str, Any]] = mapped_column(JSONB)


class SentEvent(BaseModel):
    event_id: UUID
    occurred_at: datetime
    user_id: int
    event_type: str = Field(max_length=100)
    properties: dict[str, Any] = {}


class SentBatch(BaseModel):
    events: list[SentEvent]


def check_key(x_api_key: str = Header()) -> None:
    if x_api_key != os.environ["API_KEY"]:
        raise HTTPException(401, "wrong key")


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.queue = await nats.connect(os.environ["NATS_URL"])
    yield
    await app.state.queue.close()


app = FastAPI(lifespan=lifespan)


@app.post("/events", dependencies=[Depends(check_key)])
async def post_events(batch: SentBatch):
    message = json.dumps({"events": [event.model_dump(mode="json") for event in batch.events]})
    await app.state.queue.publish(SUBJECT, message.encode())
    await app.state.queue.flush()
    return {"status": "accepted", "events_count": len(batch.events)}


def store(events: list[dict[str, Any]]) -> None:
    with Session(engine, autoflush=False) as session:
        for event in events:
            event_id = UUID(event["event_id"])
            if session.query(StoredEvent).filter(StoredEvent.event_id == event_id).first() is None:
                session.add(
                    StoredEvent(
                        event_id=event_id,
                        occurred_at=datetime.fromisoformat(event["occurred_at"]),
                        user_id=event["user_id"],
                        event_type=event["event_type"],
                        properties=event["properties"],
                    )
                )
        session.commit()


async def work() -> None:
    Base.metadata.create_all(engine)
    queue = await nats.connect(os.environ["NATS_URL"], pending_size=256 << 20)
    subscription = await queue.subscribe(SUBJECT, queue="workers", pending_bytes_limit=1 << 30)
    async for message in subscription.messages:
        store(json.loads(message.data)["events"])


if __name__ == "__main__" and sys.argv[1:] == ["worker"]:
    asyncio.run(work())
