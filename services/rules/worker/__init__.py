"""The loops of rules: records to engines to checkpoints, and findings to their topic."""

from services.rules.worker.loop import MAX_UNEXPECTED, OutOfPlace, RulesWorker, TooManyUnexpected
from services.rules.worker.owned_partition import row_of
from services.rules.worker.publish import publish_findings

__all__ = ["MAX_UNEXPECTED", "OutOfPlace", "RulesWorker", "TooManyUnexpected", "publish_findings", "row_of"]
