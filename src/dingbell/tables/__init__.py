"""Tables: CSV, TSV and XLSX → exact text in cells, each row with its line; nothing is guessed."""

from dingbell.tables.reading import LARGEST_FILE, read, read_file
from dingbell.tables.table import MOST_ROWS, Row, Table, TableError, shaped

__all__ = ["LARGEST_FILE", "MOST_ROWS", "Row", "Table", "TableError", "read", "read_file", "shaped"]
