"""Pages for those who write the calling programs: `/docs`, and `/problems`, where the `type` of a problem leads."""

from collections.abc import Iterator
from html import escape

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.errors import ErrorCode, ServiceError
from app.messages import DETAILS, TITLES

routes = APIRouter(include_in_schema=False)
SWAGGER = StaticFiles(packages=[("fastapi_swagger", "resources")])  # what the page loads, at /swagger
_PROBLEMS = """\
<!DOCTYPE html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zeren: 错误代码 Problems</title>
<link rel="icon" href="swagger/favicon-32x32.png">
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .4em .8em .4em 0; text-align: left; vertical-align: top; }}
tr:target {{ background: #fff3bf; }}
</style>
<h1>错误代码 Problems</h1>
<p>每个错误都是 application/problem+json（RFC 9457）。请按 <code>status</code> 与 <code>code</code> 判断，
向用户显示 <code>detail</code>，向管理员提供 <code>request_id</code>。<br>
Every refusal is application/problem+json (RFC 9457). Decide by <code>status</code> and <code>code</code>, show
<code>detail</code> to people, tell the administrator the <code>request_id</code>.</p>
<h2><code>code</code></h2>
<table>{problems}</table>
<h2><code>errors[].code</code></h2>
<table>{faults}</table>
</html>
"""


@routes.get("/docs")
async def show_documentation() -> HTMLResponse:
    """The contract, to read and to try out."""
    parameters = {"tryItOutEnabled": True, "filter": True, "displayRequestDuration": True}
    return get_swagger_ui_html(
        title="Zeren API",
        swagger_ui_parameters=parameters,
        # relative to the page, so that it also works behind a proxy that adds a prefix or speaks TLS
        openapi_url="openapi.json",
        swagger_js_url="swagger/swagger-ui-bundle.js",
        swagger_css_url="swagger/swagger-ui.css",
        swagger_favicon_url="swagger/favicon-32x32.png",
    )


@routes.get("/problems")
async def show_problems() -> HTMLResponse:
    """What every code of a problem means, in both languages."""
    return HTMLResponse(_PROBLEMS.format(problems="".join(_problem_rows()), faults="".join(_fault_rows())))


def _problem_rows() -> Iterator[str]:
    for error in sorted(ServiceError.__subclasses__(), key=lambda error: error.status):
        zh, en = TITLES[error.code]
        yield _row(error.code, f"{error.status}", zh, f"{en}. {error.__doc__}")


def _fault_rows() -> Iterator[str]:
    for code in ErrorCode:
        if code not in TITLES:
            yield _row(code, *DETAILS[code])


def _row(code: ErrorCode, *cells: str) -> str:
    told = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr id="{code}"><td><code>{code}</code></td>{told}</tr>\n'
