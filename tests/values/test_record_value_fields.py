"""POST /values: what each field takes, to the digit, and what is told of everything else."""

import csv
import io
import json
from decimal import Decimal

from httpx2 import Response
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from app.db import Database
from tests.client import AppClient
from tests.conftest import MERGE_PATCH, Api
from tests.history import snapshot

SHARE = "xianning-2023.58.1"
CODE = f"{SHARE}:xianning-education-bureau:2023-06"
JSON = {"Content-Type": "application/json"}
BODY = {"indicator": SHARE, "period": "2023-06", "value": 46.8}
# one database for all examples: each writes a version more
every_example = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


def post(client: AppClient, **fields: object) -> Response:
    return client.post("/api/v1/values", json=BODY | fields)


def post_figure(client: AppClient, text: str) -> Response:
    """Post a figure as it is written here, which no JSON library would write."""
    body = json.dumps(BODY | {"value": "FIGURE"}).replace('"FIGURE"', text)
    return client.post("/api/v1/values", content=body, headers=JSON)


def faults(response: Response) -> list[tuple[str, str]]:
    assert response.status_code == 422
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


@st.composite
def figures(draw: st.DrawFn) -> Decimal:
    """Decimals of at most 12 digits before and 6 after the point, 15 significant."""
    places = draw(st.integers(0, 6))
    digits = draw(st.integers(-(10 ** min(15, 12 + places)) + 1, 10 ** min(15, 12 + places) - 1))
    return Decimal(digits).scaleb(-places)


def read_figure(text: str, name: str = "value") -> Decimal:
    """The figure in a JSON answer, digit for digit."""
    return Decimal(json.loads(text, parse_float=Decimal, parse_int=Decimal)[name])


class TestExactFigures:
    @given(figure=figures(), form=st.sampled_from(["{:f}", "{:e}", "{:E}", "{:.10f}"]))
    @example(figure=Decimal("123456789012.345"), form="{:f}")
    @example(figure=Decimal("-999999999999.999"), form="{:e}")
    @example(figure=Decimal("999999999.999999"), form="{:f}")
    @example(figure=Decimal("0.000001"), form="{:e}")
    @every_example
    def test_what_is_posted_is_what_is_read(self, api: Api, figure: Decimal, form: str) -> None:
        response = post_figure(api.education, form.format(figure))
        assert response.status_code in (200, 201), response.text
        assert read_figure(response.text) == figure
        assert read_figure(api.reader.get(f"/api/v1/values/{CODE}").text) == figure
        revisions = api.reader.get(f"/api/v1/values/{CODE}/revisions?limit=1000").text
        assert read_figure(json.dumps(json.loads(revisions)["items"][-1])) == figure
        indicator = json.loads(api.reader.get(f"/api/v1/indicators/{SHARE}").text, parse_float=Decimal)
        assert Decimal(indicator["latest"]["value"]) == figure
        listed = api.reader.get("/api/v1/values", headers={"Accept": "text/csv"})
        (row,) = csv.DictReader(io.StringIO(listed.content.decode("utf-8-sig")))
        assert Decimal(row["value"]) == figure

    @given(st.decimals(allow_nan=False, allow_infinity=False))
    @example(Decimal(1000000000000))
    @example(Decimal("0.0000001"))
    @example(Decimal("1234567890.123456"))
    @example(Decimal("1e400"))
    @example(Decimal("1e-400"))
    @every_example
    def test_what_would_need_a_rounding_is_refused(self, api: Api, figure: Decimal) -> None:
        before, _, after = f"{abs(figure):f}".partition(".")
        before, after = before.lstrip("0"), after.rstrip("0")
        assume(len(before) > 12 or len(after) > 6 or len((before + after).strip("0")) > 15)
        assert faults(post_figure(api.education, str(figure))) == [("/value", "too_many_digits")]

    def test_huge_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for text in ("1234567890123456", "1e400", "-1E+400", "1e-400", "9" * 5000, "1e" + "9" * 30, "1e-" + "9" * 30):
            assert faults(post_figure(api.education, text)) == [("/value", "too_many_digits")], text[:40]
        assert snapshot(database) == before

    def test_every_zero_is_zero(self, api: Api) -> None:
        for text in ("-0", "-0.0", "0e9", "0.000000000", "-0e-999"):
            assert '"value":0.0,' in post_figure(api.education, text).text, text
        assert post_figure(api.education, "0").json()["version"] == 1

    def test_no_figure_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for text in ('"12"', "true", "false", "null", "[46.8]", "{}"):
            assert faults(post_figure(api.education, text)) == [("/value", "not_a_figure")], text
        for text in ("NaN", "Infinity", "-Infinity"):
            assert faults(post_figure(api.education, text)) == [("/value", "figure_not_finite")], text
        assert snapshot(database) == before

    def test_no_json_400(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for text in ("", "+1", "01", "1.", ".5", "0x1F", "1,5", "46.8%", "１２"):
            response = post_figure(api.education, text)
            assert (response.status_code, response.json()["code"]) == (400, "malformed_json"), text
        assert snapshot(database) == before


class TestPeriod:
    def test_no_period_422(self, api: Api) -> None:
        days = ("2023-02-30", "2023-06-00", "2023-06-31", "2023-H1-01")
        texts = ("2023-13", "2023-00", "2023-6", "2023-H3", "2023-Q5", "2023-q2", "23", "0000", "", "2023 ", "２０２３")
        for period in (*days, *texts, 2023, None, ["2023"], 2023.5, True):
            assert faults(post(api.education, period=period)) == [("/period", "period_invalid")], period

    def test_outside_the_plan_422_says_its_days(self, api: Api) -> None:
        for period in ("2022-12", "2024", "2024-01-01", "2022-12-31", "2022-H2", "2024-Q1", "9999-12", "0001"):
            response = post(api.education, period=period)
            assert faults(response) == [("/period", "period_outside_plan")], period
            assert "2023-01-01" in response.json()["errors"][0]["detail"]
            assert "2023-12-31" in response.json()["errors"][0]["detail"]

    def test_every_form_inside_the_plan(self, api: Api) -> None:
        periods = ["2023", "2023-H1", "2023-H2", "2023-Q1", "2023-Q4", "2023-01", "2023-12", "2023-01-01", "2023-12-31"]
        for period in periods:
            assert post(api.education, period=period).status_code == 201
        listed = api.reader.get(f"/api/v1/values?indicator={SHARE}").json()["items"]
        assert {item["period"] for item in listed} == set(periods)

    def test_wrong_frequency_422_suggests_the_right_form(self, api: Api) -> None:
        for frequency, wrong, nearest in (
            ("year", "2023-06", "2023"),
            ("half_year", "2023-07", "2023-H2"),
            ("quarter", "2023-04-01", "2023-Q2"),
            ("month", "2023-Q3", "2023-09"),
            ("day", "2023-02", "2023-02-28"),
        ):
            fields = {"frequency": frequency}
            patched = api.admin.patch(f"/api/v1/indicators/{SHARE}", json=fields, headers=MERGE_PATCH)
            assert patched.json()["frequency"] == frequency
            response = post(api.education, period=wrong)
            assert faults(response) == [("/period", "period_wrong_frequency")]
            assert response.json()["errors"][0]["suggestions"] == [nearest]
            recorded = post(api.education, period=nearest)
            assert recorded.status_code == 201
            taken_back = api.education.post(f"{recorded.headers['Location']}/withdrawal", json={"reason": "试报"})
            assert taken_back.status_code == 200  # else the indicator could not be reported otherwise

    def test_figure_in_another_measure_is_refused_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        response = post(api.education, measure="万元")
        assert faults(response) == [("/measure", "measure_differs")]
        assert response.json()["errors"][0]["suggestions"] == ["%"]
        assert snapshot(database) == before
        assert post(api.education, measure=" ％ ").status_code == 201  # the same in full width

    def test_blank_note_and_evidence_are_none(self, api: Api) -> None:
        first = post(api.education, note=" ", evidence_url="")
        assert (first.status_code, first.json()["note"], first.json()["evidence_url"]) == (201, None, None)
        again = post(api.education, note="", evidence_url=None)
        assert (again.status_code, again.json()) == (200, first.json())


class TestOtherFields:
    def test_every_wrong_field_is_told_at_once(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        body = {"indicator": "Ä", "period": "2023-13", "valu": 1, "unit": "", "note": 5, "evidence_url": "ftp://x"}
        response = api.education.post("/api/v1/values", json=body)
        assert sorted(faults(response)) == [
            ("/evidence_url", "bad_format"),
            ("/indicator", "bad_format"),
            ("/note", "not_text"),
            ("/period", "period_invalid"),
            ("/unit", "too_short"),
            ("/valu", "unknown_field"),
            ("/value", "required"),
        ]
        (unknown,) = [error for error in response.json()["errors"] if error["code"] == "unknown_field"]
        assert unknown["suggestions"][0] == "value"
        assert snapshot(database) == before

    def test_wrong_field_422(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        for name, value, code in (
            ("note", "x" * 2001, "too_long"),
            ("note", "a\0b", "bad_characters"),
            ("note", "a\x1bb", "bad_characters"),
            ("evidence_url", "https://jyj.example/" + "x" * 2000, "too_long"),
            ("evidence_url", "javascript:alert(1)", "bad_format"),
            ("evidence_url", "https://", "bad_format"),
            ("evidence_url", "https://jyj.example/a b", "bad_format"),
            ("evidence_url", "https://jyj.example/\n", "bad_format"),
            ("unit", "x" * 201, "too_long"),
            ("unit", "  ", "too_short"),
            ("unit", "市\0局", "bad_characters"),
            ("unit", 7, "not_text"),
            ("indicator", "X.1", "bad_format"),
            ("indicator", "x" * 101, "too_long"),
            ("indicator", None, "not_text"),
            ("code", "x", "unknown_field"),
        ):
            assert faults(post(api.education, **{name: value})) == [(f"/{name}", code)], (name, value)
        body = json.dumps(BODY | {"note": "\ud800"})  # half a character, which no database keeps
        response = api.education.post("/api/v1/values", content=body, headers=JSON)
        assert faults(response) == [("/note", "bad_characters")]
        assert snapshot(database) == before

    def test_longest_note_and_address_are_kept(self, api: Api) -> None:
        note = "一\n二\t" + "三" * 1996
        address = "http://jyj.example/" + "x" * 1981
        response = post(api.education, note=note, evidence_url=address)
        assert response.status_code == 201
        assert (response.json()["note"], response.json()["evidence_url"]) == (note, address)

    def test_no_object_422(self, api: Api) -> None:
        for body in ("[]", '"x"', "5", "null", "true", ""):
            response = api.education.post("/api/v1/values", content=body, headers=JSON)
            assert faults(response) in ([("", "not_an_object")], [("", "required")]), body

    def test_field_that_stands_twice_400(self, api: Api, database: Database) -> None:
        before = snapshot(database)
        response = post_figure(api.education, '46.8, "value": 47')
        assert (response.status_code, response.json()["code"]) == (400, "malformed_json")
        assert [error["code"] for error in response.json()["errors"]] == ["json_repeated_field"]
        assert "value" in response.json()["errors"][0]["detail"]
        assert snapshot(database) == before

    def test_query_parameters_are_refused(self, api: Api) -> None:
        response = api.education.post("/api/v1/values?dry_run=true", json=BODY)
        assert faults(response) == [("/query/dry_run", "unknown_parameter")]
