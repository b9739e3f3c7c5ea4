"""The HTTP protocol of `zeren serve`: uvicorn on h11, kind to those who type, one shape for every refusal."""

import logging
import re
import secrets
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.errors import BadRequest
from app.messages import Language
from app.problems import PROBLEM_MEDIA_TYPE, make_problem

log = logging.getLogger("zeren.protocol")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class Protocol(H11Protocol):
    """What people type, `?unit=市教育局`, is taken for its percent-encoding; broken HTTP is told as a problem."""

    def data_received(self, data: bytes) -> None:
        """Bytes from the network."""
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            line, end, rest = data.partition(b"\r\n")
            data = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and end the connection."""
        request_id = secrets.token_hex(16)
        log.info("no HTTP: %s", msg, extra={"status": HTTPStatus.BAD_REQUEST, "refused": request_id})
        body = make_problem(BadRequest(), Language.zh, "", request_id).model_dump_json().encode()
        headers = [
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=HTTPStatus.BAD_REQUEST, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
