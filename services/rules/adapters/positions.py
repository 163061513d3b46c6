"""How the positions of rules are read and moved by hand (`services.runtime.positions`), and of which topic they are."""

from services.rules.adapters.statements import SQL
from services.runtime.positions import Statements
from services.runtime.topic_ids import TopicIdStatements

STATEMENTS = Statements(SQL["positions"], SQL["move_position"])
TOPIC_IDS = TopicIdStatements(SQL["topic_ids"], SQL["note_topic_id"])
