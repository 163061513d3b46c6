"""The statements of this service, by the names they have in `sql/`."""

from pathlib import Path

from services.runtime.queries import load_queries

SQL = load_queries(Path(__file__).with_name("sql"))
