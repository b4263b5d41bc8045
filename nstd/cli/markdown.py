"""Markdown shown by rich, but without cutting text, and with code that can be copied."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown, TableElement
from rich.table import Table
from rich.text import Text


class _Code(CodeBlock):
    """Code as it is: without a frame, without trailing blanks, and with unbroken lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(str(self.text).rstrip(), style="cyan", no_wrap=True, overflow="ignore")


class _WholeTable(TableElement):
    """A table that breaks long words, instead of cutting them off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class ManualPage(Markdown):
    """A page of the manual. Code blocks must not be in lists, where rich would cut them."""

    elements = Markdown.elements | {
        "fence": _Code,
        "code_block": _Code,
        "table_open": _WholeTable,
    }
