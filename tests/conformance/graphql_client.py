"""Runs every GraphQL query and the subscription with gql, a client that nobody here wrote.

Usage: graphql_client.py URL KEY. The service at URL must be empty or a test's own, because events are sent to it.
gql checks each query against the schema that it asks for first, and so checks the schema too.
"""

import asyncio
import json
import sys
import time
import urllib.request

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLNonNull, get_named_type, is_leaf_type

# Values for the arguments that must be sent.
ARGUMENTS = {
    "userId": "gql user",
    "sessionId": "gql session",
    "accountId": "gql account",
    "eventType": "gql type",
    "name": "gql type",
    "startDate": "2025-10-01",
    "steps": ["gql type", "gql other"],
}
TIMEOUT_SECONDS = 30


def call(url, key, body=None, path="/events"):
    request = urllib.request.Request(url + path, headers={"X-API-Key": key, "Content-Type": "application/json"})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=TIMEOUT_SECONDS) as response:
        return json.load(response)


def event(identity, kind="gql type"):
    return {
        "event_id": identity,
        "event_type": kind,
        "user_id": ARGUMENTS["userId"],
        "session_id": ARGUMENTS["sessionId"],
        "account_id": ARGUMENTS["accountId"],
        "properties": {"plan": "pro"},
    }


def selection(kind):
    """Everything that can be selected of a type."""
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    return "{ %s }" % " ".join(f"{name} {selection(field.type)}" for name, field in named.fields.items())


def query(name, field):
    """A question with everything that can be selected, and its variables."""
    needed = {argument: value.type for argument, value in field.args.items() if isinstance(value.type, GraphQLNonNull)}
    variables = {argument: ARGUMENTS[argument] for argument in needed}
    declared = ", ".join(f"${argument}: {kind}" for argument, kind in needed.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in needed)
    head = f"query ({declared})" if declared else "query"
    call = f"{name}({passed})" if passed else name
    return gql(f"{head} {{ {call} {selection(field.type)} }}"), variables


async def ask_everything(url, key):
    transport = AIOHTTPTransport(url=f"{url}/graphql", headers={"X-API-Key": key})
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        fields = session.client.schema.query_type.fields
        for name, field in fields.items():
            document, variables = query(name, field)
            document.variable_values = variables
            answer = await session.execute(document)
            assert answer[name] is not None, (name, answer)
            print(f"graphql: {name}: {len(json.dumps(answer))} bytes")
        latest = (await session.execute(gql("{ latestEvents(limit: 1) { eventId payload } }")))["latestEvents"]
        assert latest == [{"eventId": "gql-2", "payload": {"plan": "pro"}}], latest
        try:
            await session.execute(gql('{ session(sessionId: "nobody") { events } }'))
        except TransportQueryError as error:
            assert error.errors[0]["extensions"]["code"] == "not_found", error.errors
        else:
            raise AssertionError("an unknown session has an answer")
        return len(fields)


async def subscribe(url, key):
    address = url.replace("http", "ws", 1) + "/graphql"
    # gql 4.4.0 finds the protocol in the answer only if the header is written Sec-WebSocket-Protocol, and assumes the older
    # one otherwise; names of headers have no case. Offered one protocol only, it uses that.
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    transport = WebsocketsTransport(url=address, init_payload={"X-API-Key": key}, subprotocols=protocols)
    async with Client(transport=transport) as session:
        events = session.subscribe(gql("subscription { events(eventType: \"gql live\") { eventId payload missedBefore } }"))
        # The subscription begins some time after it was asked for, so events are sent until one comes.
        sending = asyncio.create_task(send_until_cancelled(url, key))
        try:
            answer = await asyncio.wait_for(anext(events), TIMEOUT_SECONDS)
        finally:
            sending.cancel()
        assert answer["events"]["payload"] == {"plan": "pro"}, answer
        assert answer["events"]["missedBefore"] == 0, answer
        await events.aclose()


async def send_until_cancelled(url, key):
    for number in range(1_000_000):
        await asyncio.to_thread(call, url, key, [event(f"live-{number}", "gql live"), event(f"other-{number}", "other")])
        await asyncio.sleep(0.2)


def wait_until_stored(url, key, identity):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while call(url, key, path=f"/pipeline/events/{identity}")["status"] != "stored":
        assert time.monotonic() < deadline, f"{identity} is not stored"
        time.sleep(0.1)


def main():
    url, key = sys.argv[1:]
    call(url, key, [event("gql-1", "gql other")])
    wait_until_stored(url, key, "gql-1")
    call(url, key, [event("gql-2")])
    wait_until_stored(url, key, "gql-2")
    questions = asyncio.run(ask_everything(url, key))
    asyncio.run(subscribe(url, key))
    print(f"graphql: {questions} questions and the subscription were answered")


main()
