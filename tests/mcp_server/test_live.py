"""A real uvicorn: all transports over sockets, and what becomes of them when it is told to stop."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress

import httpx2
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group

from tests.mcp_server.clients import HTTP_TRANSPORTS
from tests.mcp_server.live import live_server
from tokens.models import MCPToken, ToolCall


async def until_groups(count: int) -> None:
    while await sync_to_async(Group.objects.count)() < count:  # noqa: ASYNC110  (another process makes them)
        await asyncio.sleep(0.02)


async def test_all_transports_work_over_sockets_and_open_streams_hold_up_no_stop(token: MCPToken) -> None:
    async with live_server() as server:
        for transport in HTTP_TRANSPORTS:
            async with server.client(transport, token.token) as client:
                assert (await client.call_tool("who_am_i")).data == "ada"
                await client.call_tool("create_group", {"name": transport})
        assert await ToolCall.objects.filter(tool="create_group", remote_address="127.0.0.1").acount() == 3
        headers = {"Authorization": f"Bearer {token.token}"}
        async with (
            server.client("sse", token.token) as agent,
            httpx2.AsyncClient(base_url=server.url, headers=headers) as plain,
            plain.stream("GET", "/mcp/sse") as stream,
        ):
            await agent.call_tool("who_am_i")
            assert stream.status_code == 200
            server.process.terminate()
            start = time.monotonic()
            assert await server.ended() in (0, -15)
            assert time.monotonic() - start < 8
    assert "Traceback" not in server.log
    # What only read is stored in batches, the last of them at the end.
    assert await ToolCall.objects.filter(tool="who_am_i").acount() == 4


async def test_a_stop_loses_no_running_call(token: MCPToken) -> None:
    # The SSE call ends last: its own request was answered long before.
    seconds = {"2026-07-28": 0.3, "2025-11-25": 0.3, "sse": 1.8}
    arguments = {each: {"name": each, "seconds": seconds[each]} for each in HTTP_TRANSPORTS}
    async with live_server() as server:
        async with AsyncExitStack() as stack:
            calls = []
            for each in HTTP_TRANSPORTS:
                client = await stack.enter_async_context(server.client(each, token.token))
                # As agents do; a client that knows no tools asks for them after the call.
                await client.list_tools()
                calls.append(asyncio.create_task(client.call_tool("slow_report", arguments[each])))
            await until_groups(len(calls))
            server.process.terminate()
            assert [result.data for result in await asyncio.gather(*calls)] == HTTP_TRANSPORTS
        assert await server.ended() in (0, -15)
    assert "Traceback" not in server.log
    assert await ToolCall.objects.filter(tool="slow_report", status="ok").acount() == 3


async def test_a_call_that_never_ends_holds_up_a_stop_no_longer_than_allowed(token: MCPToken) -> None:
    async with live_server(MCP_SHUTDOWN_SECONDS="0.5") as server:
        with suppress(Exception):
            async with AsyncExitStack() as stack:
                for each in HTTP_TRANSPORTS:
                    client = await stack.enter_async_context(server.client(each, token.token))
                    arguments = {"name": each, "seconds": 3600}
                    lost = asyncio.create_task(client.call_tool("slow_report", arguments))
                    lost.add_done_callback(lambda task: task.exception())
                await until_groups(len(HTTP_TRANSPORTS))
                start = time.monotonic()
                server.process.terminate()
                await server.ended()
        assert server.process.returncode is not None
        assert 0.5 < time.monotonic() - start < 15
