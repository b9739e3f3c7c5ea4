"""Settings: read from `ZEREN_*` alone, and refused with a sentence that helps and hides passwords."""

import traceback

import pytest

from app.settings import Settings, SettingsError

PASSWORD = "s3cr3t"


class TestFromEnvironment:
    def test_defaults(self) -> None:
        assert Settings.from_environment({"PATH": "/bin", "PORT": "80"}) == Settings(
            database_url="sqlite:///zeren.db",
            max_body_bytes=10_000_000,
            max_batch_bytes=50_000_000,
            log_level="info",
            pool_size=10,
            migrate_on_start=False,
            idempotency_hours=24,
            url="http://127.0.0.1:8000",
            key="",
        )

    def test_every_setting(self) -> None:
        given = {
            "ZEREN_DATABASE_URL": f"postgresql://zeren:{PASSWORD}@db/zeren?options=-csearch_path%3Dxianning",
            "ZEREN_MAX_BODY_BYTES": "20000000",
            "ZEREN_MAX_BATCH_BYTES": "60000000",
            "ZEREN_LOG_LEVEL": "debug",
            "ZEREN_POOL_SIZE": "20",
            "ZEREN_MIGRATE_ON_START": "True",
            "ZEREN_IDEMPOTENCY_HOURS": "48",
            "ZEREN_URL": "https://zeren.example",
            "ZEREN_KEY": "zrn_x",
        }
        assert Settings.from_environment(given) == Settings(
            database_url=given["ZEREN_DATABASE_URL"],
            max_body_bytes=20_000_000,
            max_batch_bytes=60_000_000,
            log_level="debug",
            pool_size=20,
            migrate_on_start=True,
            idempotency_hours=48,
            url="https://zeren.example",
            key="zrn_x",
        )

    def test_environment_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZEREN_POOL_SIZE", "3")
        assert Settings.from_environment().pool_size == 3

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ZEREN_DATABASE", "x"),
            ("ZEREN_database_url", "x"),
            ("ZEREN_MAX_BODY_BYTES", "0"),
            ("ZEREN_MAX_BODY_BYTES", "-1"),
            ("ZEREN_MAX_BODY_BYTES", "10MB"),
            ("ZEREN_MAX_BODY_BYTES", ""),
            ("ZEREN_POOL_SIZE", "٣"),
            ("ZEREN_POOL_SIZE", "1.5"),
            ("ZEREN_IDEMPOTENCY_HOURS", "0"),
            ("ZEREN_IDEMPOTENCY_HOURS", "1e3"),
            ("ZEREN_IDEMPOTENCY_HOURS", "10001"),
            ("ZEREN_LOG_LEVEL", "INFO"),
            ("ZEREN_LOG_LEVEL", "loud"),
            ("ZEREN_MIGRATE_ON_START", "yes"),
            ("ZEREN_MIGRATE_ON_START", ""),
            ("ZEREN_DATABASE_URL", ""),
            ("ZEREN_DATABASE_URL", "zeren.db"),
            ("ZEREN_DATABASE_URL", "sqlite://"),
            ("ZEREN_DATABASE_URL", "sqlite:///:memory:"),
            ("ZEREN_DATABASE_URL", "sqlite+aiosqlite:///zeren.db"),
            ("ZEREN_DATABASE_URL", "mysql://db/zeren"),
        ],
    )
    def test_unusable_setting_is_named(self, name: str, value: str) -> None:
        with pytest.raises(SettingsError, match=name):
            Settings.from_environment({name: value})

    @pytest.mark.parametrize(
        "url",
        [
            f"postgresql://zeren:{PASSWORD}@db:port/zeren",
            f"mysql://zeren:{PASSWORD}@db/zeren",
            f"postgresql:zeren:{PASSWORD}@db",
        ],
    )
    def test_password_is_never_shown(self, url: str) -> None:
        with pytest.raises(SettingsError) as refused:
            Settings.from_environment({"ZEREN_DATABASE_URL": url})
        assert PASSWORD not in "".join(traceback.format_exception(refused.value))

    def test_unknown_setting_names_the_known_ones(self) -> None:
        with pytest.raises(SettingsError, match=r"ZEREN_DATABASE_URL.*ZEREN_POOL_SIZE"):
            Settings.from_environment({"ZEREN_POOLSIZE": "3"})
