"""From a request's path to its route, without trying all routes in turn."""

from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFIX = len("/api/v1/")


class Dispatch:
    """Looks for the route among those of the same method, resource and depth; what is not there, the router answers.

    The framework tries each route's pattern until one fits, which for the last of them takes longer than to answer.
    """

    def __init__(self, router: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.router = router
        self.routes: dict[tuple[str, str, int], list[Route]] = defaultdict(list)
        for route in routes:
            if isinstance(route, Route):
                for method in route.methods or ():
                    self.routes[_place(method, route.path)].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or what else the server asks for."""
        if scope["type"] == "http":
            for route in self.routes.get(_place(scope["method"], scope["path"]), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    await route.handle(scope, receive, send)
                    return
        await self.router(scope, receive, send)


def _place(method: str, path: str) -> tuple[str, str, int]:
    """The method, `/api/v1/targets` of `/api/v1/targets/x`, and the number of steps: no parameter holds a slash."""
    end = path.find("/", _PREFIX)
    return method, path if end < 0 else path[:end], path.count("/")
