"""How answers leave: a head goes out with its body, in one call, and nothing waits longer than a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from uvicorn.config import Config
from uvicorn.server import ServerState

from app.middleware import AroundEveryRequest
from app.protocol import Pairing, Protocol
from tests.test_segments import echo


class Network(asyncio.Transport):
    """Where a connection ends: it notes what is sent in one call."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def writelines(self, list_of_data: Iterable[bytes]) -> None:  # type: ignore[override]
        self.sent.append(b"|".join(list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def run(test: Callable[[Network, Pairing], Awaitable[None]]) -> None:
    async def connected() -> None:
        network = Network()
        await test(network, Pairing(network))

    asyncio.run(connected())


class TestProtocol:
    def test_sends_each_answer_in_one_call(self) -> None:
        async def test() -> None:
            config = Config(AroundEveryRequest(echo), http=Protocol, ws="none", log_config=None, access_log=False)
            config.load()
            protocol, network = Protocol(config, ServerState(), {}), Network()
            protocol.connection_made(network)
            for answers in (1, 2):
                protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                for _ in range(20):  # turns of the loop
                    await asyncio.sleep(0)
                assert len(network.sent) == answers
            protocol.connection_lost(None)

        asyncio.run(test())


class TestPairing:
    def test_head_and_body_are_sent_as_one_at_once(self) -> None:
        async def test(network: Network, pairing: Pairing) -> None:
            for answer in range(3):
                pairing.write(b"head")
                assert len(network.sent) == answer
                pairing.write(b"body")
                assert len(network.sent) == answer + 1
            await asyncio.sleep(0)
            assert network.sent == [b"head|body"] * 3

        run(test)

    def test_lone_write_is_sent_when_the_loop_turns_to_something_else(self) -> None:
        async def test(network: Network, pairing: Pairing) -> None:
            pairing.write(b"100 Continue")
            await asyncio.sleep(0)
            assert network.sent == [b"100 Continue"]
            for part in (b"1", b"2", b"3"):
                pairing.write(part)
            await asyncio.sleep(0)
            assert network.sent[1:] == [b"1|2", b"3"]

        run(test)

    def test_close_sends_what_is_left_first(self) -> None:
        async def test(network: Network, pairing: Pairing) -> None:
            pairing.write(b"last words")
            pairing.close()
            assert (network.sent, network.closed) == ([b"last words"], True)
            assert pairing.is_closing()

        run(test)

    def test_nothing_is_sent_to_who_is_gone(self) -> None:
        async def test(network: Network, pairing: Pairing) -> None:
            pairing.write(b"head")
            network.close()
            await asyncio.sleep(0)
            pairing.close()
            assert network.sent == []

        run(test)
