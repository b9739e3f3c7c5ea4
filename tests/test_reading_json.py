"""A request's headers, looked up quickly: the same as the framework's own."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from app.reading_json import FirstHeaders

NAMES = st.sampled_from(["accept", "authorization", "if-none-match", "x-é"])
TEXTS = st.text(st.characters(max_codepoint=255), max_size=5)


class TestFirstHeaders:
    @given(st.lists(st.tuples(NAMES, TEXTS), max_size=6))
    def test_same_as_those_of_the_framework(self, given: list[tuple[str, str]]) -> None:
        scope: Any = {"headers": [(name.encode("latin-1"), text.encode("latin-1")) for name, text in given]}
        quick, plain = FirstHeaders(scope), Headers(scope=scope)
        assert (list(quick), quick.items(), quick) == (list(plain), plain.items(), plain)
        for name in ("accept", "Authorization", "IF-NONE-MATCH", "x-é", "X-É", "none"):
            assert quick.get(name) == plain.get(name)
            assert quick.get(name, "-") == plain.get(name, "-")
            assert quick.getlist(name) == plain.getlist(name)
            assert (name in quick) == (name in plain)
            if name in plain:
                assert quick[name] == plain[name]
