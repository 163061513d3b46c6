"""The API of the registry on its status server: ask for adjustments, and decide about them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Path, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from services.kernel.words import AdjustmentKind, CountedAs, Role, SignalKind
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused, StoreUnavailable
from services.registry.metrics import RegistryMetrics
from services.runtime.bearer import require_token

T = TypeVar("T")
ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
STATUS = {
    AdjustmentRefusal.BAD_REQUEST: 422,
    AdjustmentRefusal.UNKNOWN_UNIT: 404,
    AdjustmentRefusal.UNKNOWN_ADJUSTMENT: 404,
    AdjustmentRefusal.NOT_ALLOWED: 403,
    AdjustmentRefusal.SAME_PERSON: 409,
    AdjustmentRefusal.NOT_WAITING: 409,
    AdjustmentRefusal.OVER: 409,
    AdjustmentRefusal.TOO_MANY: 429,
    AdjustmentRefusal.UNKNOWN_PROPOSAL: 404,
    AdjustmentRefusal.UNKNOWN_PACK: 404,
    AdjustmentRefusal.UNKNOWN_ENTITY: 404,
    AdjustmentRefusal.NO_CHANGE: 409,
    AdjustmentRefusal.CHANGED_SINCE: 409,
}
AdjustmentIdPath = Annotated[str, Path(pattern=ID)]


class Who(BaseModel):
    """The account that is signed in at the console; whoever has the token answers for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field(min_length=1, max_length=64)
    role: Role
    via: str = Field(default="api", pattern=r"^[a-z][a-z0-9_-]{0,31}$")

    def person(self) -> Person:
        return Person(self.account, self.role, self.via)


class Asked(Who):
    unit_id: str = Field(pattern=ID)
    what: AdjustmentKind
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field(max_length=2000)
    evidence: str | None = Field(default=None, max_length=2000)
    counted_as: CountedAs | None = None
    system: str | None = Field(default=None, max_length=200)
    address: str | None = Field(default=None, max_length=200)
    trouble: SignalKind | None = None

    def request(self) -> AdjustmentRequest:
        return AdjustmentRequest(**self.model_dump(exclude={"account", "role", "via"}))


class Decision(Who):
    note: str = Field(default="", max_length=2000)


class Orders:
    """What the API may do. `request` and the decisions as `AdjustmentService` promises them, and published."""

    def __init__(
        self,
        request: Callable[[AdjustmentRequest, Person], Awaitable[Adjustment]],
        decide: Callable[[str, str, Person, str], Awaitable[Adjustment]],
    ) -> None:
        self.request = request
        self.decide = decide


async def counted(metrics: RegistryMetrics, action: str, work: Awaitable[T]) -> T:
    """Return what `work` comes to, and count how it ended."""
    outcome = "ok"
    try:
        return await work
    except AdjustmentRefused as refused:
        outcome = refused.refusal.value
        raise
    except StoreUnavailable:
        outcome = "unavailable"
        raise
    finally:
        metrics.adjustments.labels(action, outcome).inc()


def build_api(
    token: SecretStr, orders: Orders, metrics: RegistryMetrics, large: Mapping[str, int] | None = None
) -> FastAPI:
    """Return the routes: `POST /v1/adjustments`, and `POST /v1/adjustments/{id}/{decision}`.

    Answers 200 with the adjustment as it stands then; else `{"code", "detail"}`, the code an AdjustmentRefusal, with
    the status of STATUS. 503: the database does not answer, nothing was changed. `large` as for `require_token`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    require_token(app, token, large=large)

    @app.exception_handler(AdjustmentRefused)
    async def refuse(request: Request, error: AdjustmentRefused) -> JSONResponse:
        return JSONResponse({"code": error.refusal.value, "detail": str(error)}, STATUS[error.refusal])

    @app.exception_handler(StoreUnavailable)
    async def unavailable(request: Request, error: StoreUnavailable) -> JSONResponse:
        return JSONResponse({"code": "unavailable", "detail": "the database does not answer"}, 503)

    @app.post("/v1/adjustments")
    async def ask(asked: Asked) -> dict[str, Any]:
        return shown(await counted(metrics, "request", orders.request(asked.request(), asked.person())))

    def decision(action: str) -> None:
        @app.post(f"/v1/adjustments/{{adjustment_id}}/{action}", name=action)
        async def decide(adjustment_id: AdjustmentIdPath, decided: Decision) -> dict[str, Any]:
            deciding = orders.decide(action, adjustment_id, decided.person(), decided.note)
            return shown(await counted(metrics, action, deciding))

    for action in ("approve", "reject", "withdraw", "end"):
        decision(action)
    return app


def shown(held: Adjustment) -> dict[str, Any]:
    """Return an adjustment as JSON: what was asked for, who approved it and how it stands."""
    asked = held.request
    return {
        "adjustment_id": held.adjustment_id,
        "unit_id": asked.unit_id,
        "what": asked.what.value,
        "starts_at": _text(asked.starts_at),
        "ends_at": _text(asked.ends_at),
        "counted_as": None if asked.counted_as is None else asked.counted_as.value,
        "state": held.state.value,
        "requested_by": held.requested_by,
        "approvals": list(held.approvals),
        "approvals_needed": held.approvals_needed,
    }


def _text(at: datetime) -> str:
    return at.isoformat()
