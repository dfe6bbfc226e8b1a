"""The official MCP SDK as client and server over stdio; $LINES gets the JSON-RPC between them."""

import asyncio
import os
import sys
from pathlib import Path

import traced
from mcp import Client, StdioServerParameters

HERE = Path(__file__).parent


async def main() -> None:
    command = [str(HERE / "tee.py"), os.environ["LINES"], sys.executable, str(HERE / "mcp_server.py")]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with Client(server, mode=os.environ["MODE"]) as client:
        await client.list_tools()
        await client.call_tool("get_weather", {"city": "Porto"})
        await client.call_tool("no_such_tool", {"city": "Porto"})


with traced.telemetry():
    asyncio.run(main())
