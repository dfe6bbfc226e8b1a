"""An MCP server with one tool, on standard input and output, by the official SDK."""

import traced
from mcp.server import MCPServer

server = MCPServer("weather")
server.tool()(traced.get_weather)

with traced.telemetry():
    server.run("stdio")
