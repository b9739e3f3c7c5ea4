"""Bodies made to hurt: the answer stays small, readable and quick to make."""

import json

from app.problems import MOST_FAULTS
from tests.conftest import Api

JSON = {"Content-Type": "application/json"}


def test_of_very_many_wrong_fields_the_first_are_told_and_all_are_counted(api: Api) -> None:
    body = {f"field{number}": number for number in range(5000)}
    response = api.education.post("/api/v1/values", json=body, headers={"Accept-Language": "en"})
    assert response.status_code == 422
    assert len(response.json()["errors"]) == MOST_FAULTS
    assert "5003" in response.json()["detail"]  # the three required fields are missing as well


def test_of_very_many_unknown_parameters_the_first_are_told_and_all_are_counted(api: Api) -> None:
    query = "&".join(f"p{number}=1" for number in range(3000))
    response = api.reader.get(f"/api/v1/plans?{query}", headers={"Accept-Language": "en"})
    assert response.status_code == 422
    assert len(response.json()["errors"]) == MOST_FAULTS
    assert "3000" in response.json()["detail"]


def test_a_field_that_stands_twice_among_very_many_is_named(api: Api) -> None:
    # a hundred thousand names: looking each up among all others would take minutes
    names = ",".join(f'"field{number}":1' for number in [*range(60_000), 59_999])
    response = api.education.post("/api/v1/values", content=f"{{{names}}}", headers=JSON)
    assert response.status_code == 400
    assert "field59999" in json.dumps(response.json())


def test_half_a_character_as_a_repeated_name_400(api: Api) -> None:
    response = api.education.post("/api/v1/values", content=r'{"\ud800": 1, "\ud800": 2}', headers=JSON)
    assert response.status_code == 400
    assert response.json()["code"] == "malformed_json"
