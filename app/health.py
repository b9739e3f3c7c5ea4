"""Whether the service is up: for load balancers and container health checks, without a key."""

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text

from app.errors import InternalError, Unavailable
from app.problems import raises
from app.schemas import Output

routes = APIRouter(tags=["service"], responses=raises(InternalError))


class Health(Output):
    """The service's word about itself."""

    status: str = Field(description="`ok`.", examples=["ok"])


@routes.get("/livez")
async def check_alive() -> Health:
    """Check that the process lives.

    Answers as long as the process runs; asks nothing of the database.
    """
    return Health(status="ok")


@routes.get("/readyz", responses=raises(Unavailable))
def check_ready(request: Request) -> Health:
    """Check that requests can be served.

    Answers 200 when the database answers, else 503.
    """
    with request.app.state.database.reading() as session:
        session.execute(text("SELECT 1"))
    return Health(status="ok")
