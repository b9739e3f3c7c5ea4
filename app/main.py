"""The application: the visible list of its routers, error handlers and middleware."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from multiprocessing import parent_process

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

import app.targets.documents  # noqa: F401 - once loaded, it is told of every write
from app.assignments.routes import routes as assignments
from app.db import Database
from app.dispatch import Dispatch
from app.documentation import SWAGGER
from app.documentation import routes as documentation
from app.health import routes as health
from app.imports.routes import routes as imports
from app.indicators.routes import routes as indicators
from app.middleware import AroundEveryRequest
from app.openapi import DESCRIPTION, build_openapi
from app.plans.routes import routes as plans
from app.problems import add_problem_handlers
from app.settings import Settings
from app.targets.routes import routes as targets
from app.types import Json
from app.units.routes import routes as units
from app.values.routes import routes as values

ROUTERS = (plans, targets, assignments, indicators, values, units, imports, health)


class Zeren(FastAPI):
    """FastAPI with our OpenAPI document, and with as little as possible around a request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and end."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The layers; FastAPI has three more, for telemetry, a limit of bodies and a second last catch."""
        routes = AsyncExitStackMiddleware(Dispatch(self.router, self.router.routes))
        return AroundEveryRequest(ExceptionMiddleware(routes, self.exception_handlers))

    def add_routes(self, router: APIRouter) -> None:
        """Take over the routes of a router; those of one that is only included are searched twice for each request."""
        for route in router.routes:
            if isinstance(route, APIRoute):
                route.unique_id = route.name  # the `operationId`
            self.router.routes.append(route)

    def openapi(self) -> Json:
        """The document, built once."""
        if self.openapi_schema is None:
            self.openapi_schema = build_openapi(self)
        return self.openapi_schema


def _end_once(sentinel: int) -> None:
    """End this process in good order; what has told of the parent's end would go on telling."""
    asyncio.get_running_loop().remove_reader(sentinel)
    signal.raise_signal(signal.SIGTERM)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service on the database that the settings name; the environment's settings by default."""
    settings = settings or Settings.from_environment()
    database = Database(settings.database_url, settings.pool_size, settings.cache_bytes)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # what is loaded now stays for good: without it, each full collection would walk through all of it
        gc.collect()
        gc.freeze()
        parent = parent_process()
        if parent is not None:  # and is killed: nobody is left to end this worker, or to replace it
            asyncio.get_running_loop().add_reader(parent.sentinel, _end_once, parent.sentinel)
        yield
        await database.hot.close()
        database.close()

    app = Zeren(
        title="Zeren",
        summary="Government plan targets: who is responsible for what, and how far along it is.",
        description=DESCRIPTION,
        version=version("zeren"),
        contact={"name": "Zeren", "url": "https://zeren.example/", "email": "zeren@zeren.example"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.database = database
    for routes in ROUTERS:
        app.add_routes(routes)
    app.add_routes(documentation)
    app.mount("/swagger", SWAGGER)
    add_problem_handlers(app)
    return app
