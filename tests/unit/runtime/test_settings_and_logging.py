"""Settings fail with one sentence each; logs never carry a secret."""

import json
import logging

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.runtime.logging import configure, get_logger
from services.runtime.settings import KeepingSettings, ServiceSettings, load


class Sample(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_", extra="ignore", frozen=True, populate_by_name=True)

    port: int = Field(default=1, ge=1)


def test_alarms_and_states_are_kept_for_a_year_at_least(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRENET_KEEP_DAYS", "366")
    assert load(KeepingSettings).keep_days == 366
    monkeypatch.setenv("FIRENET_KEEP_DAYS", "90")
    with pytest.raises(SystemExit):
        load(KeepingSettings)
    said = capsys.readouterr().err
    assert said.startswith("FIRENET_KEEP_DAYS: ")
    assert said.endswith("alarms and states are kept for a year: give 366 days or more, not 90\n")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_PORT", "9")
    monkeypatch.setenv("FIRENET_DATABASE_DSN", "postgresql://u:pw@127.0.0.1/db")
    settings = load(Sample)
    assert settings.port == 9
    assert "pw" not in repr(settings)


def test_a_bad_setting_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMPLE_PORT", "0")
    monkeypatch.setenv("FIRENET_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit) as stopped:
        load(Sample)
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("SAMPLE_PORT: ") for line in lines)
    assert any(line.startswith("FIRENET_LOG_LEVEL: ") for line in lines)
    assert len(lines) == 2


def test_logs_are_json_lines_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        configure("sample", "info")
        get_logger().info("signed_in", account="a", password="hunter2", api_token="t0k")
        logging.getLogger("library").warning("said %s", "so")
        get_logger().debug("not_shown")
    finally:
        root.handlers, root.level = before
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["event"] == "signed_in"
    assert first["service"] == "sample"
    assert first["password"] == first["api_token"] == "[hidden]"
    assert second["event"] == "said so"
    assert second["level"] == "warning"


def test_a_library_that_repeats_itself_is_heard_once_and_we_are_heard_always(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("test")
    for attempt in range(50):
        logging.getLogger("aiokafka.client").error("Unable to reach node %s", attempt)
        get_logger().warning("ours", attempt=attempt)
    lines = capsys.readouterr().out.splitlines()
    assert sum("Unable to reach" in line for line in lines) == 1
    assert sum('"ours"' in line for line in lines) == 50
