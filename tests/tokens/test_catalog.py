"""The list of tools a token may be given."""

from tokens.catalog import ToolInfo, has_tool_catalog, tool_catalog, unknown_tools


def test_the_catalog_is_sorted_by_name(catalog: list[ToolInfo]) -> None:
    assert [tool.name for tool in tool_catalog()] == ["list_products", "ping", "place_order"]


def test_names_no_tool_has_are_unknown(catalog: list[ToolInfo]) -> None:
    assert unknown_tools(["ping", "drop_tables"]) == ["drop_tables"]


def test_without_a_catalog_there_is_nothing_to_compare_with(no_catalog: None) -> None:
    assert not has_tool_catalog()
    assert tool_catalog() == []
    assert unknown_tools(["anything"]) == []
