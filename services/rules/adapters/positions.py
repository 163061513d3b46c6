"""How the positions of rules are read and moved by hand (`services.runtime.positions`)."""

from services.rules.adapters.statements import SQL
from services.runtime.positions import Statements

STATEMENTS = Statements(SQL["positions"], SQL["move_position"])
