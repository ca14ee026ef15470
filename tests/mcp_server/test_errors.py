"""What a failure tells the client, what it tells the log, and what it tells nobody."""

import logging
import re
from typing import Annotated, Any, Literal

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field
from starlette.applications import Starlette

from mcp_server.orm import orm_tool
from tests.mcp_server.clients import HTTP_TRANSPORTS, http, mcp_client, running
from tests.mcp_server.wire import ERAS, MODERN, call, initialize, message, post
from tokens.models import MCPToken, ToolCall

SECRET = "hunter2-and-more"
OPAQUE = re.compile(
    r"Something went wrong on the server and nothing is known about the result\. "
    r"Tell an administrator this correlation id: ([0-9a-f]{16})"
)


async def text_of(app: Starlette, transport: str, token: MCPToken, tool: str, **arguments: Any) -> str:
    async with running(app), mcp_client(app, transport, token.token) as client:
        result = await client.call_tool(tool, arguments, raise_on_error=False)
        assert result.is_error
        return str(result.content[0].text)


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_a_broken_tool_gives_one_opaque_sentence_and_an_id_that_the_log_knows(
    app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    text = await text_of(app, transport, token, "broken")
    found = OPAQUE.fullmatch(text)
    assert found
    (record,) = [record for record in caplog.records if record.exc_info]
    assert found[1] in record.getMessage()
    assert "the secret ingredient is salt" in caplog.text
    row = await ToolCall.objects.aget()
    assert (row.status, row.correlation_id) == ("error", found[1])
    assert "salt" not in row.error


async def test_each_failure_has_an_id_of_its_own(app: Starlette, token: MCPToken) -> None:
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        texts = {(await client.call_tool("broken", raise_on_error=False)).content[0].text for _ in range(3)}
    assert len(texts) == 3


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_broken_resources_and_prompts_tell_no_more(
    server: FastMCP[Any], app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    @server.resource("world://broken")
    def broken_resource() -> str:
        """Fail."""
        raise RuntimeError("salt")

    @server.resource("world://broken/{name}")
    def broken_template(name: str) -> str:
        """Fail."""
        raise RuntimeError("salt")

    @server.prompt
    def broken_prompt(dish: str) -> str:
        """Fail."""
        raise RuntimeError("salt")

    async with running(app), mcp_client(app, transport, token.token) as client:
        for use in (
            client.read_resource("world://broken"),
            client.read_resource("world://broken/soup"),
            client.get_prompt("broken_prompt", {"dish": "soup"}),
        ):
            with pytest.raises(Exception, match=OPAQUE) as caught:
                await use
            found = OPAQUE.search(str(caught.value))
            assert found
            assert f"[correlation id {found[1]}]" in caplog.text
            assert "salt" not in str(caught.value)
        with pytest.raises(Exception, match=r"dish is required\."):
            await client.get_prompt("broken_prompt")


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_a_wrong_argument_is_named_with_what_is_allowed_and_never_repeated(
    server: FastMCP[Any], app: Starlette, token: MCPToken, transport: str
) -> None:
    @server.tool
    def order_by(
        column: Annotated[Literal["name", "price"], Field(description="Column.")],
        rows: Annotated[int, Field(ge=1, le=100, description="Rows.")] = 20,
    ) -> str:
        """Sort."""
        return column

    for arguments, sentence in [
        ({"column": SECRET}, "column: Input should be 'name' or 'price'."),
        ({"column": "name", "rows": -5}, "rows: Input should be greater than or equal to 1."),
        ({"column": "name", "rows": 1000}, "rows: Input should be less than or equal to 100."),
        ({"column": "name", "rows": SECRET}, "rows: Input should be a valid integer, unable to parse string"),
        ({"rows": 5}, "column is required."),
        (
            {"column": "name", "colour": SECRET},
            "colour is not an argument of this tool; its arguments are: column, rows.",
        ),
    ]:
        text = await text_of(app, transport, token, "order_by", **arguments)
        assert sentence in text
        assert SECRET not in text


async def test_expected_errors_are_told_as_they_are(server: FastMCP[Any], app: Starlette, token: MCPToken) -> None:
    class OutOfStockError(Exception):
        field = "quantity"

    errors: dict[str, tuple[Exception, str]] = {
        "validation": (
            ValidationError({"name": ["Too long."], "price": ["Too low.", "Odd."]}),
            "name: Too long. price: Too low. Odd.",
        ),
        "plain_validation": (ValidationError("Choose one."), "Choose one."),
        "permission": (PermissionDenied(), "Your user may not do this."),
        "missing": (
            Group.DoesNotExist("There is no group 7."),
            "There is no group 7. Look the row up with a list tool first.",
        ),
        "domain": (OutOfStockError("only 3 are left."), "quantity: only 3 are left."),
        "tool": (ToolError("Ask for another."), "Ask for another."),
    }
    for name, (error, _) in errors.items():

        def fail(error: str = name) -> None:
            """Fail."""
            raise errors[error][0]

        server.tool(orm_tool(fail, user_errors=(OutOfStockError,)), name=name)
    for name, (_, text) in errors.items():
        assert await text_of(app, MODERN, token, name) == text


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_secrets_in_arguments_reach_no_log_row_or_text(
    server: FastMCP[Any], app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    @server.tool
    def set_password(username: str, password: Annotated[str, Field(max_length=20)], note: str = "") -> str:
        """Set a password."""
        if username == "broken":
            raise RuntimeError("no luck")
        if username == "refused":
            raise ToolError("Choose another password.")
        return "done"

    caplog.set_level(logging.DEBUG)
    long = SECRET + "-which-is-far-too-long"
    calls = [("ada", SECRET), ("broken", SECRET), ("refused", SECRET), ("ada", long)]
    texts = []
    async with running(app), mcp_client(app, transport, token.token) as client:
        for username, password in calls:
            arguments = {"username": username, "password": password, "note": f"password={SECRET}"}
            result = await client.call_tool("set_password", arguments, raise_on_error=False)
            texts.append(result.content[0].text)
        await client.call_tool("no_such_tool", {"password": SECRET}, raise_on_error=False)
    rows = await sync_to_async(list)(ToolCall.objects.values())
    assert len(rows) == 5
    assert SECRET not in str(rows) + str(texts)
    served = [record for record in caplog.records if not record.name.startswith(("mcp.client", "httpx", "httpcore"))]
    assert SECRET not in "".join(record.getMessage() + str(record.exc_text) for record in served)
    assert str(token.token) not in caplog.text


@pytest.mark.parametrize("era", ERAS)
async def test_the_token_reaches_no_log_even_at_debug(
    app: Starlette, token: MCPToken, caplog: pytest.LogCaptureFixture, era: str
) -> None:
    caplog.set_level(logging.DEBUG)
    plain = str(token.token)
    async with running(app), http(app) as client:
        for sent in (plain, plain[:-1] + "x", plain + " "):
            await post(client, era, message(era, "tools/list"), sent)
            await post(client, era, call(era, "broken"), sent)
            await post(client, era, initialize(), sent)
        await client.get("/mcp/sse", headers={"authorization": f"Basic {plain}"})
    assert plain[:-1] not in caplog.text


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_an_answer_too_big_is_an_error_that_says_how_to_ask_for_less(
    server: FastMCP[Any], app: Starlette, token: MCPToken, transport: str
) -> None:
    @server.tool(annotations={"readOnlyHint": True})
    def export(rows: int, limit: int = 20, fields: str = "") -> list[str]:
        """Give rows."""
        return ["é" * 100] * rows

    async with running(app), mcp_client(app, transport, token.token) as client:
        assert len((await client.call_tool("export", {"rows": 1000})).data) == 1000
        result = await client.call_tool("export", {"rows": 2000}, raise_on_error=False)
    assert result.is_error
    assert re.fullmatch(
        r"The answer has 4\d{5} bytes, and at most 262144 can be sent\. "
        r"Ask for less: a smaller limit or fewer fields\.",
        result.content[0].text,
    )
    row = await ToolCall.objects.afirst()
    assert row
    assert (row.status, row.error) == ("error", result.content[0].text)


async def test_an_answer_too_big_of_a_writer_says_that_it_was_done(
    server: FastMCP[Any], app: Starlette, token: MCPToken, settings: Any
) -> None:
    @server.tool
    def rename_all() -> str:
        """Rename."""
        return "renamed " * 100

    settings.MCP_MAX_RESULT_BYTES = 500
    text = await text_of(app, MODERN, token, "rename_all")
    assert text.startswith("What you asked for was done; do not repeat the call. The answer has 8")
    assert text.endswith("Ask for less: a narrower selection.")
    settings.MCP_MAX_RESULT_BYTES = 0
    async with running(app), mcp_client(app, MODERN, token.token) as client:
        assert (await client.call_tool("rename_all")).data.startswith("renamed")


@pytest.mark.parametrize("transport", HTTP_TRANSPORTS)
async def test_an_iteration_that_ends_too_early_is_a_failure_and_not_a_wait(
    server: FastMCP[Any], app: Starlette, token: MCPToken, transport: str
) -> None:
    @server.tool
    @orm_tool
    def first_of_none() -> str:
        return next(iter([]))

    assert OPAQUE.fullmatch(await text_of(app, transport, token, "first_of_none"))
