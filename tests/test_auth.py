"""Who asks: which `Authorization` counts, what each scope includes, and whom a client speaks for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, update

from app.auth import Caller, authenticate, hash_key, mint_key, require
from app.clients.service import create_key
from app.db import Database
from app.errors import Forbidden, Unauthenticated
from app.tables import Client, ClientUnit, Key, Unit, UnitMember
from app.types import Scope
from app.units.membership import reach
from tests.client import AppClient, in_loop
from tests.conftest import Api

NOW = datetime.now(UTC)


class TestAuthorizationHeader:
    def test_which_headers_count(self, api: Api) -> None:
        key, other = api.keys["reader"], api.keys["admin"]
        mark, prefix, secret = key.split("_")
        client = AppClient(api.app)
        for header in (f"Bearer {key}", f"bearer {key}", f"BEARER   {key}  "):
            assert client.get("/api/v1/plans", headers={"Authorization": header}).status_code == 200, header
        for header in (
            "",
            "Bearer",
            "Bearer ",
            key,
            f"Basic {key}",
            f"Bearer {key[:-1]}",
            f"Bearer {key}0",
            f"Bearer {key.upper()}",
            f"Bearer {key} {key}",
            f"Bearer {mark}_{prefix}_{other.split('_')[2]}",  # the secret of another key
            f"Bearer {mark}_{'0' * 10}_{secret}",
            f"Bearer {mark}_{prefix}_{hash_key(key)[:40]}",
            f"Bearer {mark}_%_{secret}",
            f"Bearer {hash_key(key)}",
            "Bearer zrn_\x00_\x00",
            "Bearer zrn_é_é",
        ):
            response = client.get("/api/v1/plans", headers={"Authorization": header.encode()})
            assert response.status_code == 401, header
            assert response.json()["code"] == "unauthenticated"
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="zeren"'
            assert "zrn_" + prefix not in response.text

    def test_key_in_the_address_does_not_count(self, api: Api) -> None:
        assert api.anonymous.get(f"/api/v1/plans?key={api.keys['reader']}").status_code == 401

    def test_refused_before_the_body_is_read(self, api: Api) -> None:
        """A stranger learns nothing of the rules, and cannot make the service parse megabytes."""
        for content in (b"{", b"x" * 2_000_000):
            for client, status in ((api.anonymous, 401), (api.reader, 403)):
                headers = {"Content-Type": "application/json"}
                assert client.post("/api/v1/values", content=content, headers=headers).status_code == status


class TestAuthenticate:
    def test_expired_revoked_and_disabled_keys(self, database: Database, api: Api) -> None:
        caller = Caller.command_line()
        with database.writing() as session:
            key = {
                name: create_key(session, caller, name, [Scope.read], expires_at=expires_at)
                for name, expires_at in {
                    "expired": NOW - timedelta(seconds=1),
                    "living": NOW + timedelta(hours=1),
                    "revoked": None,
                    "disabled": None,
                }.items()
            }
            prefix = key["revoked"].split("_")[1]
            session.execute(update(Key).where(col(Key.prefix) == prefix).values(revoked_at=NOW))
            session.execute(update(Client).where(col(Client.code) == "disabled").values(disabled_at=NOW))
        assert in_loop(authenticate, database.hot, f"Bearer {key['living']}")[0].code == "living"
        for name in ("expired", "revoked", "disabled"):
            with pytest.raises(Unauthenticated):
                in_loop(authenticate, database.hot, f"Bearer {key[name]}")

    def test_caller_is_the_client_of_the_key(self, database: Database, api: Api) -> None:
        caller, _ = in_loop(authenticate, database.hot, f"Bearer {api.keys['reviewer']}")
        assert (caller.code, caller.scopes) == ("reviewer", frozenset({Scope.review}))

    def test_minted_keys_are_long_and_all_different(self) -> None:
        minted = [mint_key() for _ in range(100)]
        assert len({key.text for key in minted}) == len({key.prefix for key in minted}) == 100
        assert all(len(key.text.split("_")[2]) == 40 and key.secret_hash == hash_key(key.text) for key in minted)


class TestScopes:
    @pytest.mark.parametrize(
        ("held", "granted"),
        [
            ((), ()),
            ((Scope.read,), (Scope.read,)),
            ((Scope.report,), (Scope.read, Scope.report)),
            ((Scope.review,), (Scope.read, Scope.review)),
            ((Scope.report, Scope.review), (Scope.read, Scope.report, Scope.review)),
            ((Scope.admin,), tuple(Scope)),
        ],
    )
    def test_what_each_includes(self, held: tuple[Scope, ...], granted: tuple[Scope, ...]) -> None:
        caller = Caller(1, "client", frozenset(held), "request")
        assert tuple(scope for scope in Scope if caller.may(scope)) == granted
        for scope in Scope:
            if scope in granted:
                require(caller, scope)
            else:
                with pytest.raises(Forbidden):
                    require(caller, scope)


UNITS = st.integers(0, 7)
PAIRS = st.lists(st.tuples(UNITS, UNITS).filter(lambda pair: pair[0] != pair[1]), max_size=10, unique=True)


class TestReach:
    @given(
        parents=st.dictionaries(UNITS, UNITS, max_size=8).map(lambda found: {a: b for a, b in found.items() if a != b}),
        members=PAIRS,
        own=st.sets(UNITS, max_size=3),
    )
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_own_units_with_all_members_and_descendants(
        self, database: Database, parents: dict[int, int], members: list[tuple[int, int]], own: set[int]
    ) -> None:
        """Whatever the register looks like, rings included, which the service refuses but a reader must survive."""
        with Session(database.writer) as session:
            units = [Unit(code=f"u{n}", name=f"U{n}", name_key=f"u{n}", kind="group", updated_at=NOW) for n in range(8)]
            client = Client(code="somebody", name="somebody", created_at=NOW)
            session.add_all([*units, client])
            session.flush()
            for child, parent in parents.items():
                units[child].parent_id = units[parent].id
            session.add_all(UnitMember(group_id=units[a].id, member_id=units[b].id, position=0) for a, b in members)
            session.add_all(ClientUnit(client_id=client.id, unit_id=units[n].id) for n in own)
            session.flush()
            reached = reach(session, Caller(client.id, "somebody", frozenset({Scope.report}), ""))
            everything = reach(session, Caller(client.id, "somebody", frozenset({Scope.admin}), ""))
            number = {unit.id: n for n, unit in enumerate(units)}
            session.rollback()
        assert everything is None
        assert reached is not None
        edges = members + [(parent, child) for child, parent in parents.items()]
        assert {number[unit] for unit in reached} == _closure(own, edges)


def _closure(start: set[int], edges: list[tuple[int, int]]) -> set[int]:
    found = set(start)
    for _ in range(8):  # no path is longer than the number of units
        found |= {there for here, there in edges if here in found}
    return found
