"""The part of the registry's API that takes points for an evaluation."""

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import FastAPI, Path
from pydantic import Field

from services.kernel.words import AdjustmentState
from services.registry.adapters.http_api import ID, Decision, Who, counted
from services.registry.domain.approval import Person
from services.registry.domain.manual_scores import ManualScore, NewScore
from services.registry.metrics import RegistryMetrics

Name = Annotated[str, Field(pattern=ID)]
BodyId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
EntryIdPath = Annotated[str, Path(pattern=ID)]


class Entered(Who):
    scheme_id: Name
    body_id: BodyId
    criterion_id: Name
    month: date
    points: Decimal | None = Field(default=None, max_digits=6)
    reason: str = Field(max_length=2000)

    def score(self) -> NewScore:
        return NewScore(**self.model_dump(exclude={"account", "role", "via"}))


DECISIONS = {
    "approve": AdjustmentState.APPROVED,
    "reject": AdjustmentState.REJECTED,
    "withdraw": AdjustmentState.WITHDRAWN,
}


def add_scores(
    app: FastAPI,
    enter: Callable[[NewScore, Person], Awaitable[ManualScore]],
    decide: Callable[[str, AdjustmentState, Person, str], Awaitable[ManualScore]],
    metrics: RegistryMetrics,
) -> None:
    """Add `POST /v1/scores` and `POST /v1/scores/{id}/{approve,reject,withdraw}`.

    Answers and refusals as those of adjustments, under the token that `app` asks for.
    """

    def decision(action: str, state: AdjustmentState) -> None:
        @app.post(f"/v1/scores/{{entry_id}}/{action}", name=f"score_{action}")
        async def decided(entry_id: EntryIdPath, said: Decision) -> dict[str, Any]:
            deciding = decide(entry_id, state, said.person(), said.note)
            return shown(await counted(metrics, f"score_{action}", deciding))

    for action, state in DECISIONS.items():
        decision(action, state)

    @app.post("/v1/scores")
    async def score(entered: Entered) -> dict[str, Any]:
        return shown(await counted(metrics, "score", enter(entered.score(), entered.person())))


def shown(held: ManualScore) -> dict[str, Any]:
    """Return an entry as JSON, as it stands."""
    return counting(held) | {
        "recorded_at": held.recorded_at.isoformat(),
        "state": held.state.value,
        "decided_by": None if held.decision is None else held.decision.account,
        "note": None if held.decision is None else held.decision.note,
    }


def counting(held: ManualScore) -> dict[str, Any]:
    """Return an entry as `evaluate` of compliance takes it: known from when it was approved on."""
    asked = held.asked
    return {
        "entry_id": held.entry_id,
        "district": held.district,
        "scheme_id": asked.scheme_id,
        "body_id": asked.body_id,
        "criterion_id": asked.criterion_id,
        "month": asked.month.isoformat(),
        "points": None if asked.points is None else format(asked.points.normalize(), "f"),
        "most": held.most,
        "reason": asked.reason,
        "account": held.account,
        "recorded_at": (held.recorded_at if held.decision is None else held.decision.decided_at).isoformat(),
    }
