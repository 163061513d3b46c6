"""Page and JSON API of evaluation: scores of bodies by month, quarter and year, and points that a person enters."""

from datetime import date
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import Api, as_json, one_text
from services.console.adapters.web.files import DocumentId, printed
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.history import FIRST_DAY, LAST_DAY
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.evaluation import NewPoints, ScoredPeriod, ScoredScheme, require_enters
from services.console.domain.register import ProposalDecision
from services.console.metrics import Metrics
from services.console.ports.district import CaseCommands, ReadModel
from services.console.ports.evaluation import Evaluation
from services.kernel.words import FileKind, Language, Period
from services.runtime.logging import get_logger

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
BodyId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
EntryId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class BoardParameters(BaseModel):
    """Which period; without one the newest. An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    period: Period | None = None
    first: date | None = Field(default=None, alias="from", ge=FIRST_DAY, le=LAST_DAY)

    @model_validator(mode="after")
    def both_or_none(self) -> Self:
        if (self.period is None) != (self.first is None):
            raise ValueError("period and from go together")
        return self

    def wanted(self) -> ScoredPeriod | None:
        return None if self.period is None or self.first is None else ScoredPeriod(self.period, self.first)


class PointsBody(BaseModel):
    """`points` null takes back what was entered."""

    model_config = ConfigDict(extra="forbid")

    scheme_id: Name
    body_id: BodyId
    criterion_id: Name
    month: date
    points: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9])?$")] | None
    reason: str = Field(min_length=1, max_length=500)

    def asked(self) -> NewPoints:
        return NewPoints(**self.model_dump())


class PointsDecisionBody(BaseModel):
    """`note` is needed to reject."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=500)


class CircularBody(BaseModel):
    """Of which scheme and period; the scores are those that stand. `district`: "" where there is one only."""

    model_config = ConfigDict(extra="forbid")

    scheme_id: Name
    district: Name | Literal[""] = ""
    period: Period
    first: date = Field(alias="from", ge=FIRST_DAY, le=LAST_DAY)


class GraveResultBody(BaseModel):
    """Of which body, and what happened; `begins` false: its inquiry is over, and why."""

    model_config = ConfigDict(extra="forbid")

    body_id: BodyId
    begins: bool = True
    text: Annotated[str, Field(min_length=1, max_length=150), AfterValidator(one_text)]


class EvaluationApi:
    """The handlers. Whose slice it is and who asks comes from the session, never from the request."""

    def __init__(
        self, api: Api, evaluation: Evaluation, read: ReadModel, commands: CaseCommands, metrics: Metrics
    ) -> None:
        self.signed_in = api.signed_in
        self._commands = commands
        self._evaluation = evaluation
        self._read = read
        self._metrics = metrics

    async def board(self, request: Request, asked: Annotated[BoardParameters, Query()]) -> Response:
        board = await self._evaluation.board(session_of(request).viewer, asked.wanted())
        known = await self._read.names()
        bodies = {str(row.score["body"]).rpartition("/")[2] for row in board.rows}
        names = {code: known.bodies[code] for code in bodies if code in known.bodies}
        return as_json({"board": board, "names": names, "rules": known.evaluations, "scopes": dict(known.all_scopes)})

    async def enter(self, request: Request, body: PointsBody) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.adjustments.labels("score", outcome).inc()
            get_logger().info("points_entered", username=username, about=body.body_id, outcome=outcome)

        async with acting(request, tell) as session:
            return as_json({"entry_id": await self._evaluation.enter(session.viewer, body.asked())})

    async def decide(
        self, request: Request, entry_id: EntryId, decision: ProposalDecision, body: PointsDecisionBody
    ) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.adjustments.labels(f"score_{decision.value}", outcome).inc()
            get_logger().info(
                "points_decided", username=username, about=entry_id, decision=decision.value, outcome=outcome
            )

        async with acting(request, tell) as session:
            return as_json({"state": await self._evaluation.decide(session.viewer, entry_id, decision, body.note)})

    async def circular(self, request: Request, body: CircularBody) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.document_acts.labels("circular", "ok" if outcome == "ok" else "refused").inc()
            get_logger().info(
                "circular_asked_for", username=username, scheme=body.scheme_id, district=body.district,
                period=body.period.value, first=body.first.isoformat(), outcome=outcome,
            )  # fmt: skip

        async with acting(request, tell) as session:
            period = ScoredPeriod(body.period, body.first)
            scheme = ScoredScheme(body.scheme_id, body.district)
            return as_json({"document_id": await self._evaluation.circular(session.viewer, scheme, period)})

    async def grave_result(self, request: Request, body: GraveResultBody) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.document_acts.labels("grave_result", "ok" if outcome == "ok" else "refused").inc()
            get_logger().info("grave_result_entered", username=username, about=body.body_id, outcome=outcome)

        async with acting(request, tell) as session:
            viewer = require_enters(session.viewer)
            await self._commands.grave_result(viewer, body.body_id, body.text, begins=body.begins)
            return as_json({"body_id": body.body_id})

    async def circular_file(
        self, request: Request, document_id: DocumentId, language: Language, kind: FileKind
    ) -> Response:
        viewer = session_of(request).viewer
        content = await self._evaluation.circular_file(viewer, document_id, language, kind)
        return printed(document_id, language, kind, content)


def evaluation_routes(api: EvaluationApi, pages: SignedInPages) -> APIRouter:
    """Return the routes; those of the API ask for a session first."""

    async def page(request: Request) -> Response:
        return await pages.show(request, "evaluation.html")

    router = APIRouter()
    router.add_api_route("/evaluation", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/evaluation", dependencies=[Depends(api.signed_in)])
    ours.add_api_route("", api.board, methods=["GET"])
    ours.add_api_route("/points", api.enter, methods=["POST"])
    ours.add_api_route("/grave-results", api.grave_result, methods=["POST"])
    ours.add_api_route("/points/{entry_id}/{decision}", api.decide, methods=["POST"])
    ours.add_api_route("/circulars", api.circular, methods=["POST"])
    ours.add_api_route("/circulars/{document_id}/{language}.{kind}", api.circular_file, methods=["GET"])
    router.routes.extend(ours.routes)
    return router
