"""`evaluate`: scores of bodies from the log, as the service would publish them; their figures have no revision here."""

from typing import Any

from services.compliance.adapters.ask import asked_entries, asked_months, read_evaluate_ask, to_micros
from services.compliance.adapters.score_rows import score_json
from services.compliance.cli.inputs import Inputs
from services.compliance.domain.month_figures import month_figures
from services.compliance.domain.scores import evaluated
from services.kernel.calendar import text


def evaluate_answer(inputs: Inputs) -> dict[str, Any]:
    """Scores of bodies: of months, quarters and years.

    Raises:  InputError, Refused.
    """
    asked = read_evaluate_ask(inputs.ask)
    known_at = None if asked.known_at is None else to_micros(asked.known_at)
    knowledge = inputs.knowledge(known_at, adjusted=asked.adjusted)
    figures = [cited for window in asked_months(asked) for cited in month_figures(knowledge, window)]
    scores = evaluated(knowledge.policies, figures, asked_entries(asked, known_at), inputs.listings(known_at))
    return {
        "known_at": None if known_at is None else text(known_at),
        "through": text(knowledge.visibility.through),
        "scores": [score_json(score) for score in scores],
    }
