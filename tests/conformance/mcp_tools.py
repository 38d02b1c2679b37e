"""Lists and calls the tools of a running Rollcall with the official Python SDK of the Model Context Protocol.

Usage: mcp_tools.py URL KEY, where URL is the address of the API. The SDK checks every answer against the schema that the tool
declares. Required arguments get one of the values below, or else the first example of their schema.
"""

import asyncio
import json
import sys

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client

# They fit the example of `POST /events`. In a project without it, some are refused as "not_found".
VALUES = {
    "account_id": "acc_1",
    "name": "login",
    "session_id": "s-1",
    "start_date": "2025-09-29",
    "steps": ["signup", "login"],
    "user_id": "ada",
}


def arguments(tool):
    properties = tool.input_schema["properties"]
    return {name: VALUES.get(name) or properties[name]["examples"][0] for name in tool.input_schema["required"]}


async def check(url, key, mode):
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        async with mcp.Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client:
            tools = (await client.list_tools()).tools
            assert tools, "there are no tools"
            for tool in tools:
                assert tool.annotations.read_only_hint and tool.output_schema, tool.name
                result = await client.call_tool(tool.name, arguments(tool))
                text = json.loads(result.content[0].text)
                if result.is_error:
                    assert text["code"] == "not_found", (tool.name, text)
                else:
                    assert text == result.structured_content and text["time_zone"], (tool.name, text)
            wrong = await client.call_tool(tools[0].name, {"colour": "blue"})
            assert wrong.is_error and json.loads(wrong.content[0].text)["errors"][0]["field"] == "colour", wrong
            print(f"{len(tools)} tools listed and called over protocol version {client.protocol_version}")


def main():
    url, key = sys.argv[1:]
    # The newest protocol has no handshake; the ones before begin with one.
    for mode in ["auto", "legacy"]:
        asyncio.run(check(url, key, mode))


if __name__ == "__main__":
    main()
