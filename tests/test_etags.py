"""ETags: a word for the bytes of an answer, 304 where they are known, 412 where they have changed; and HEAD."""

import pytest
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st

from app.etags import etag_listed, etag_of
from tests.conftest import MERGE_PATCH, Api
from tests.test_paging import LISTS

ONES = ["/plans/xianning-2023", "/units/市教育局", "/targets/xianning-2023.58", "/indicators/xianning-2023.58.1"]
ASSIGNMENT = "xianning-2023.58:xianning-education-bureau:lead"
etags = st.binary().map(etag_of)


def get(api: Api, path: str, **headers: str) -> Response:
    return api.reader.get(f"/api/v1{path}", headers={name.replace("_", "-"): text for name, text in headers.items()})


class TestEtagListed:
    @settings(deadline=None)
    @given(st.lists(etags, max_size=4), etags, st.sampled_from([",", ", ", " ,\t"]), st.booleans())
    def test_exactly_the_tags_in_the_list(self, tags: list[str], etag: str, comma: str, weak: bool) -> None:
        header = comma.join(f"W/{tag}" if weak else tag for tag in tags)
        assert etag_listed(etag, header) is (etag in tags)
        assert etag_listed(etag, comma.join([header, etag]))

    @pytest.mark.parametrize(
        ("header", "listed"),
        [("*", True), (" * ", True), ('W/"a"', True), ('"a"', True), ("a", False), ("", False), ('"a" "b"', False)],
    )
    def test_forms(self, header: str, listed: bool) -> None:
        assert etag_listed('"a"', header) is listed

    @settings(deadline=None)
    @given(st.binary(), st.binary())
    def test_equal_bytes_equal_tag(self, one: bytes, other: bytes) -> None:
        assert (etag_of(one) == etag_of(other)) is (one == other)


class TestIfNoneMatch:
    def test_known_bytes_304(self, api: Api) -> None:
        for path in LISTS + ONES:
            first = get(api, path)
            etag = first.headers["ETag"]
            for known in (etag, f"W/{etag}", f'"other", {etag}', f'W/"x",W/{etag}', "*"):
                again = get(api, path, If_None_Match=known)
                assert (again.status_code, again.content) == (304, b""), (path, known)
                assert again.headers["ETag"] == etag
                assert again.headers.get("Vary") == first.headers.get("Vary")
                assert "Content-Type" not in again.headers
            for unknown in ('"other"', etag.strip('"'), 'W/"other"', ""):
                assert get(api, path, If_None_Match=unknown).content == first.content, (path, unknown)

    def test_csv_and_json_have_their_own(self, api: Api) -> None:
        json, csv = get(api, "/units"), get(api, "/units", Accept="text/csv")
        assert json.headers["ETag"] != csv.headers["ETag"]
        assert get(api, "/units", Accept="text/csv", If_None_Match=json.headers["ETag"]).status_code == 200
        assert get(api, "/units", Accept="text/csv", If_None_Match=csv.headers["ETag"]).status_code == 304

    def test_a_write_changes_the_etag_of_what_shows_it_and_no_other(self, api: Api) -> None:
        def standing() -> dict[str, str]:
            return {path: get(api, path).headers["ETag"] for path in ("/assignments", "/targets", "/units", ONES[2])}

        before = standing()
        assert api.education.post(f"/api/v1/assignments/{ASSIGNMENT}/acknowledgement").status_code == 200
        acknowledged = standing()
        assert {path for path in before if before[path] != acknowledged[path]} == {"/assignments"}
        body = '{"due_on": "2023-11-30"}'
        assert api.admin.patch(f"/api/v1{ONES[2]}", content=body, headers=MERGE_PATCH).status_code == 200
        patched = standing()
        assert {path for path in before if patched[path] != acknowledged[path]} == {"/assignments", "/targets", ONES[2]}

    def test_a_refusal_has_no_etag(self, api: Api) -> None:
        for path in ("/targets/xianning-2023.99", "/units?limit=0"):
            refused = get(api, path, If_None_Match="*")
            assert refused.status_code in (404, 422)
            assert "ETag" not in refused.headers


class TestHead:
    def test_as_get_without_the_body(self, api: Api) -> None:
        for path in (*LISTS, *ONES, "/units?limit=2", "/targets/xianning-2023.99", "/units?unti=1"):
            for headers in ({}, {"Accept": "text/csv"}, {"If-None-Match": "*"}):
                got = api.reader.get(f"/api/v1{path}", headers=headers)
                head = api.reader.head(f"/api/v1{path}", headers=headers)
                assert (head.status_code, head.content) == (got.status_code, b""), path
                assert dict(head.headers) | {"x-request-id": ""} == dict(got.headers) | {"x-request-id": ""}
                if got.status_code != 304:
                    assert head.headers["Content-Length"] == str(len(got.content))

    def test_without_a_key_401(self, api: Api) -> None:
        assert api.anonymous.head("/api/v1/units").status_code == 401


class TestIfMatch:
    """The same rule on every PATCH; the resources' own tests say what is in a refusal."""

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/targets/xianning-2023.58", '{"due_on": "2023-11-30"}'),
            ("/units/市教育局", '{"valid_to": "2030-12-31"}'),
            ("/indicators/xianning-2023.58.1", '{"frequency": "month"}'),
        ],
    )
    def test_only_the_present_state_is_changed(self, api: Api, path: str, body: str) -> None:
        before = get(api, path)
        etag = before.headers["ETag"]

        def patch(if_match: str) -> Response:
            return api.admin.patch(f"/api/v1{path}", content=body, headers=MERGE_PATCH | {"If-Match": if_match})

        for stale in ('"other"', "", 'W/"x", "y"', etag.strip('"')):
            refused = patch(stale)
            assert refused.status_code == 412
            assert refused.headers["ETag"] == etag
            assert refused.json()["current"] == before.json()
            assert get(api, path).headers["ETag"] == etag
        changed = patch(f'"x", W/{etag}')
        assert changed.status_code == 200
        assert changed.json() == get(api, path).json() != before.json()
        assert patch(etag).status_code == 412
        assert patch("*").status_code == 200
        assert api.admin.patch(f"/api/v1{path}", content=body, headers=MERGE_PATCH).status_code == 200

    def test_too_long_a_header_422(self, api: Api) -> None:
        headers = MERGE_PATCH | {"If-Match": '"a",' * 300}
        refused = api.admin.patch("/api/v1/targets/xianning-2023.58", content="{}", headers=headers)
        assert refused.status_code == 422
        assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [("/header/If-Match", "too_long")]
