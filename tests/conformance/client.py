"""Sends the history of the description's example, and calls every GET with a client generated from the description."""

import datetime
import importlib
import json
import sys
import urllib.request

from rollcall_client import AuthenticatedClient

KEY = "conformance-key"
# There are no dead letters and no schemas, so those of the examples are not there.
NOT_THERE = {"dead_letter", "schema"}


def send_history(url, document):
    body = document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]["history"]["value"]
    headers = {"Content-Type": "application/json", "X-API-Key": KEY}
    request = urllib.request.Request(f"{url}/events?wait=stored", json.dumps(body).encode(), headers)
    answer = json.load(urllib.request.urlopen(request))
    assert answer["status"] == "stored", answer


def arguments(operation):
    """The examples of the parameters, as the generated functions want them."""
    found = {}
    for parameter in operation.get("parameters", []):
        if "example" not in parameter:
            continue
        name, value = parameter["name"], parameter["example"]
        if parameter["schema"].get("format") == "date":
            value = datetime.date.fromisoformat(value)
        found["from_" if name == "from" else name] = value
    return found


def main(url, path):
    document = json.load(open(path))
    send_history(url, document)
    client = AuthenticatedClient(base_url=url, token=KEY, prefix="", auth_header_name="X-API-Key")
    calls = 0
    for path, item in document["paths"].items():
        operation = item.get("get")
        # A stream of events does not end.
        if operation is None or "text/event-stream" in operation["responses"]["200"]["content"]:
            continue
        tag = operation["tags"][0].replace(" ", "_")
        module = importlib.import_module(f"rollcall_client.api.{tag}.{operation['operationId']}")
        response = module.sync_detailed(client=client, **arguments(operation))
        expected = 404 if operation["operationId"] in NOT_THERE else 200
        assert response.status_code == expected, f"{path}: {response.status_code} {response.content}"
        assert response.parsed is not None or not response.headers["content-type"].startswith("application/"), path
        calls += 1
    print(f"{calls} operations were called, and every answer could be read")


main(*sys.argv[1:])
