"""What is known of the quality of an indicator's figures: on the wire, merged fact by fact, and in exports."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db import Database
from app.indicators.service import merge_quality
from tests.asking import faults, suggestions
from tests.conftest import MERGE_PATCH, Api
from tests.history import changes_after, last_change, snapshot
from tests.indicators.test_indicators import NEW, PATH, SHARE

FACTS = ("verification", "source", "accuracy", "limitations", "compensation")
NOTHING: dict[str, Any] = dict.fromkeys(FACTS)
ALL = {
    "verification": "市统计局每季抽查10%",
    "source": "全国学前教育管理信息系统",
    "accuracy": "误差不超过0.5个百分点",
    "limitations": "新建园次月才录入",
    "compensation": "季末补报",
}


def patch(api: Api, quality: object, **headers: str) -> Response:
    return api.admin.patch(PATH, json={"quality": quality}, headers=MERGE_PATCH | headers)


class TestCreateIndicator:
    @pytest.mark.parametrize(
        ("sent", "stands"),
        [
            (ALL, ALL),
            ({"source": "年报"}, NOTHING | {"source": "年报"}),
            ({"source": " 年报\n"}, NOTHING | {"source": "年报"}),
            ({"source": "年报", "accuracy": None}, NOTHING | {"source": "年报"}),
            ({"source": None}, None),
            ({}, None),
            (None, None),
        ],
    )
    def test_facts_are_all_there_or_none(self, api: Api, sent: Any, stands: Any) -> None:
        created = api.admin.post("/api/v1/indicators", json=NEW | {"quality": sent})
        assert (created.status_code, created.json()["quality"]) == (201, stands)
        assert api.reader.get(created.headers["Location"]).json() == created.json()

    def test_wrong_facts_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for sent, fault in (
            ({"source": ""}, ("/quality/source", "too_short")),
            ({"source": " "}, ("/quality/source", "too_short")),
            ({"accuracy": "x" * 2001}, ("/quality/accuracy", "too_long")),
            ({"accuracy": "a\0"}, ("/quality/accuracy", "bad_characters")),
            ({"limitations": 5}, ("/quality/limitations", "not_text")),
            ({"sources": "年报"}, ("/quality/sources", "unknown_field")),
            ("年报", ("/quality", "not_an_object")),
            ([], ("/quality", "not_an_object")),
        ):
            for response in (
                api.admin.post("/api/v1/indicators", json=NEW | {"quality": sent}),
                patch(api, sent),
            ):
                assert (response.status_code, faults(response)) == (422, [fault]), sent
        assert suggestions(patch(api, {"sources": "年报"}))[0] == "source"
        assert snapshot(database) == before
        assert patch(api, {"accuracy": "x" * 2000}).status_code == 200


class TestUpdateIndicator:
    def test_merged_fact_by_fact(self, api: Api, database: Database) -> None:
        for sent, stands in (
            ({"source": "年报"}, NOTHING | {"source": "年报"}),
            ({"accuracy": "±1%"}, NOTHING | {"source": "年报", "accuracy": "±1%"}),
            ({"source": "月报", "accuracy": None}, NOTHING | {"source": "月报"}),
            (ALL, ALL),
            ({"source": None, "limitations": None}, ALL | {"source": None, "limitations": None}),
            (None, None),
            (ALL, ALL),
            (NOTHING, None),
        ):
            number = last_change(database)
            response = patch(api, sent)
            assert (response.status_code, response.json()["quality"]) == (200, stands), sent
            assert changes_after(database, number) == [("indicator.changed", SHARE, response.json())]
            assert api.reader.get(PATH).json() == response.json()

    def test_other_fields_leave_it(self, api: Api) -> None:
        patch(api, ALL)
        changed = api.admin.patch(PATH, json={"frequency": "month"}, headers=MERGE_PATCH).json()
        assert (changed["quality"], changed["frequency"]) == (ALL, "month")

    def test_nothing_new_writes_nothing(self, api: Api, database: Database) -> None:
        for quality, same in (
            (None, (None, {}, {"source": None}, NOTHING)),
            (ALL, ({}, ALL, {"source": ALL["source"]})),
        ):
            patch(api, quality)
            before = snapshot(database)
            for sent in same:
                assert patch(api, sent).status_code == 200
            assert snapshot(database) == before

    def test_as_of_tells_what_was_known_then(self, api: Api) -> None:
        patch(api, {"source": "年报"})
        before = datetime.now(UTC).isoformat()
        patch(api, {"source": "月报"})
        assert api.reader.get(PATH, params={"as_of": before}).json()["quality"]["source"] == "年报"

    def test_if_match_covers_it(self, api: Api) -> None:
        etag = api.reader.get(PATH).headers["ETag"]
        assert patch(api, {"source": "年报"}, **{"If-Match": etag}).status_code == 200
        stale = patch(api, {"source": "月报"}, **{"If-Match": etag})
        assert (stale.status_code, stale.json()["current"]["quality"]["source"]) == (412, "年报")


texts = st.none() | st.sampled_from(["甲", "乙"])
patches = st.none() | st.dictionaries(st.sampled_from(FACTS), texts)


class TestMerge:
    @settings(deadline=None)
    @given(st.lists(patches, max_size=5))
    def test_as_rfc_7396_says_and_null_where_nothing_is_left(self, sent: list[dict[str, str | None] | None]) -> None:
        """The RFC's own procedure, on the facts that are known; what is stored is theirs with null for the others."""
        known: dict[str, str] = {}
        stands = None
        for one in sent:
            known = {} if one is None else {name: text for name, text in (known | one).items() if text is not None}
            stands = merge_quality(stands, one)
            assert stands == (NOTHING | known if known else None)
            assert stands is None or tuple(stands) == FACTS

    @settings(deadline=None)
    @given(patches, patches)
    def test_same_patch_twice_is_once(self, first: Any, second: Any) -> None:
        once = merge_quality(merge_quality(None, first), second)
        assert merge_quality(once, second) == once


class TestExport:
    def test_facts_are_columns(self, api: Api) -> None:
        patch(api, {"source": "=年报", "limitations": "甲,\n乙"})
        answer = api.reader.get("/api/v1/indicators", headers={"Accept": "text/csv"})
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        columns = [f"quality_{fact}" for fact in FACTS]
        assert [name for name in rows[0] if name.startswith("quality")] == columns
        assert [rows[0][name] for name in columns] == ["", "'=年报", "", "甲,\n乙", ""]
        assert {rows[1][name] for name in columns} == {""}
