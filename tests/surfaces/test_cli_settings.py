"""Settings that cannot be right: told by name, with what to do, and without the secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from dingbell.errors import InputError
from dingbell.settings import Settings

SECRET = "geheim"
APP = {
    "DINGBELL_APP_KEY": "dingkey",
    "DINGBELL_APP_SECRET": SECRET,
    "DINGBELL_AGENT_ID": "7",
}
FREE_PORT_OF_NOBODY = 1


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"DINGBELL_DATABASE_URL": f"mysql://u:{SECRET}@db/x"},
            "DINGBELL_DATABASE_URL must be an address such as postgresql://",
        ),
        (
            {"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}/x@db/x"},
            "in the password write / as %2F",
        ),
        (
            {"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}#x@db/x"},
            "DINGBELL_DATABASE_URL must be an address",
        ),
        (
            {"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}[x@db/x"},
            "DINGBELL_DATABASE_URL must be an address",
        ),
        (
            {"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}@db:99999/x"},
            "DINGBELL_DATABASE_URL must be an address",
        ),
        ({**APP, "DINGBELL_APP_SECRET": ""}, "DINGBELL_APP_SECRET is missing"),
        (
            {"DINGBELL_AGENT_ID": "7"},
            "DINGBELL_APP_KEY, DINGBELL_APP_SECRET is missing",
        ),
        ({**APP, "DINGBELL_AGENT_ID": "seven"}, "DINGBELL_AGENT_ID must be a whole number"),
        ({**APP, "DINGBELL_AGENT_ID": "0"}, "DINGBELL_AGENT_ID must be at least 1"),
        ({**APP, "DINGBELL_AGENT_ID": "9" * 30}, "DINGBELL_AGENT_ID must be at most"),
        ({"DINGBELL_OAPI_URL": "dingtalk"}, "DINGBELL_OAPI_URL must be an address"),
        ({"DINGBELL_OAPI_URL": "http://[::1"}, "DINGBELL_OAPI_URL must be an address"),
        ({"DINGBELL_API_URL": "http://x:port"}, "DINGBELL_API_URL must be an address"),
        ({"DINGBELL_LOG": "loud"}, "DINGBELL_LOG must be 'debug'"),
        ({"DINGBELL_PEOPLE_PER_MINUTE": "0"}, "DINGBELL_PEOPLE_PER_MINUTE must be at least 1"),
        ({"DINGBELL_CALLS_PER_SECOND": "9" * 20}, "DINGBELL_CALLS_PER_SECOND must be at most"),
    ],
)
def test_a_setting_that_is_wrong_is_named(monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as refused:
        Settings.load(_env_file=None)
    assert words in str(refused.value)
    assert SECRET not in str(refused.value) + refused.value.message.zh


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}/x@db/x"}, "write / as %2F"),
        ({"DINGBELL_DATABASE_URL": f"postgresql://u:{SECRET}@db/x?sslmode=maybe"}, "refused"),
        ({"DINGBELL_SECRET_KEY": SECRET}, "DINGBELL_SECRET_KEY is not a key"),
        ({**APP, "DINGBELL_APP_SECRET": None}, "DINGBELL_APP_SECRET is missing"),
    ],
)
def test_a_command_with_wrong_settings_says_so_and_does_nothing(nowhere, dsn, variables, words):
    said = nowhere.refused("schedules", "list", **{"DINGBELL_DATABASE_URL": dsn, **variables})
    assert words in said
    assert SECRET not in said


def test_every_wrong_setting_is_told_at_once_and_in_chinese(nowhere):
    said = nowhere.refused(
        "--lang", "zh", "doctor", DINGBELL_AGENT_ID="seven", DINGBELL_OAPI_URL="x", DINGBELL_LOG="y"
    )
    assert said.startswith("错误: ")
    assert "DINGBELL_AGENT_ID 必须是整数" in said
    assert "DINGBELL_OAPI_URL 必须是地址" in said
    assert "DINGBELL_LOG 必须是" in said


COMMANDS = [
    ["doctor"],
    ["runs", "list", "--json"],
    ["send", "--to", "users:a", "--text", "x", "--json"],
    ["db", "upgrade", "--json"],
    ["serve", "--port", "0"],
]


def test_a_database_that_does_not_answer_is_told_by_every_command(nowhere):
    address = f"postgresql://u:{SECRET}@127.0.0.1:{FREE_PORT_OF_NOBODY}/x"

    for command in COMMANDS:
        said = nowhere.refused(*command, code=1, DINGBELL_DATABASE_URL=address)
        assert "PostgreSQL cannot be reached" in said
        assert "DINGBELL_DATABASE_URL" in said
        assert SECRET not in said


def test_a_host_that_does_not_exist_is_told(nowhere):
    address = f"postgresql://u:{SECRET}@nowhere.invalid/x"
    said = nowhere.refused("db", "upgrade", code=1, DINGBELL_DATABASE_URL=address)
    assert "PostgreSQL cannot be reached" in said
    assert SECRET not in said


def test_a_database_that_does_not_exist_is_told(nowhere, dsn):
    address = dsn.replace("/t_", "/nobody_made_t_")
    said = nowhere.refused("schedules", "list", DINGBELL_DATABASE_URL=address)
    assert "nobody_made_t_" in said
    assert "Check user, password and database" in said


def test_a_data_directory_that_is_a_file_is_told_and_the_file_stays(nowhere):
    file = nowhere.write("data", "precious")
    said = nowhere.refused("schedules", "list")
    assert f"DINGBELL_DATA_DIR {file} is a file" in said
    assert file.read_text() == "precious"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder where even root cannot write")
def test_a_data_directory_that_cannot_be_written_is_told(nowhere):
    said = nowhere.refused("schedules", "list", code=1, DINGBELL_DATA_DIR="/proc/dingbell")
    assert "/proc/dingbell" in said


def test_a_secret_key_that_cannot_be_kept_is_told(nowhere, dsn):
    nowhere.write("file", "")
    inside = str(nowhere.folder / "file" / "data")
    at = {**APP, "DINGBELL_DATABASE_URL": dsn, "DINGBELL_DATA_DIR": inside}
    said = nowhere.refused("send", "--to", "users:a", "--text", "x", **at)
    assert "DINGBELL_DATA_DIR or DINGBELL_SECRET_KEY" in said


def test_settings_may_stand_in_a_dot_env_file_with_empty_lines_for_what_is_not_set(nowhere, dsn):
    nowhere.done("init")
    example = (nowhere.folder / ".env.example").read_text()
    nowhere.write(".env", f"{example}\nDINGBELL_DATABASE_URL={dsn}\n")
    assert nowhere.json("schedules", "list") == []
    nowhere.write(".env", "DINGBELL_LOG=loud\n")
    assert "DINGBELL_LOG must be" in nowhere.refused("schedules", "list")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk"])
def test_a_dot_env_file_is_read_in_whatever_encoding_its_editor_wrote(nowhere, dsn, encoding):
    text = f"DINGBELL_DATABASE_URL={dsn}\r\n# 密钥\r\nDINGBELL_LOG=info\r\nTO=经理\r\n"
    (nowhere.folder / ".env").write_bytes(text.encode(encoding))
    assert nowhere.json("schedules", "list") == []
    nowhere.write("dingbell.yaml", "audiences: {managers: {roles: ['${TO}']}}")
    assert [one["name"] for one in nowhere.json("plan")] == ["managers"]


def test_a_dot_env_file_that_is_no_text_is_told_in_the_language_of_the_reader(nowhere):
    (nowhere.folder / ".env").write_bytes(b"DINGBELL_LOG=caf\xe9\n\xff\n")
    assert "cannot read .env: not UTF-8" in nowhere.refused("schedules", "list")
    assert "无法读取 .env: 不是 UTF-8 文本" in nowhere.refused("--lang", "zh", "schedules", "list")


def test_blanks_and_line_ends_around_credentials_and_keys_do_no_harm(place):
    around = {
        name: f" {place.variables[name]}\n"
        for name in (*APP, "DINGBELL_DATABASE_URL", "DINGBELL_OAPI_URL")
    }
    key = f"\t{Fernet.generate_key().decode()}\r\n"
    checks = place.run("doctor", "--json", **around, DINGBELL_SECRET_KEY=key).json
    assert [c["status"] for c in checks if c["check"].startswith("app ")] == ["ok"]


@pytest.mark.parametrize("name", ["DINGBELL_APP_KEY", "DINGBELL_APP_SECRET"])
@pytest.mark.parametrize("inside", ["\u200b", "\x1b", "\ufeff"])
def test_something_invisible_in_a_credential_is_named_and_the_credential_is_not_shown(
    nowhere, name, inside
):
    said = nowhere.refused("schedules", "list", **{**APP, name: f"{SECRET}{inside}x"})
    assert f"{name} has the invisible character U+{ord(inside):04X}" in said
    assert SECRET not in said


def test_doctor_notices_an_agent_id_that_is_not_the_apps(place):
    wrong = place.run("doctor", "--json", DINGBELL_AGENT_ID="12")
    assert wrong.code == 1
    (failed,) = [check for check in wrong.json if check["status"] == "fail"]
    assert failed["check"] == "app default"
    assert "agent 12 is not this app's" in failed["detail"]
    assert place.run("doctor").code == 0


def test_doctor_spends_a_call_on_the_agent_id_only_until_a_notice_was_taken(place, company):
    def proofs():
        calls = company.ask("stats")["calls"]
        return calls.get("/topapi/message/corpconversation/status_bar/update", 0)

    before = proofs()
    place.done("doctor")
    assert proofs() == before + 1
    place.done("send", "--to", "users:manager4220", "--text", "证明应用编号", "--yes", "--wait")
    place.done("doctor")
    assert proofs() == before + 1


def test_another_secret_key_than_before_is_told_by_doctor_and_mended_by_the_right_one(place):
    here = {"DINGBELL_SECRET_KEY": Fernet.generate_key().decode()}
    there = {"DINGBELL_SECRET_KEY": Fernet.generate_key().decode()}
    nobody = dict.fromkeys(APP)
    place.done("db", "rekey", "--yes", **here)
    place.done("directory", "sync", **here)
    assert place.run("doctor", **here).code == 0
    wrong = place.run("doctor", "--json", **there, **nobody)
    assert wrong.code == 1
    assert "DINGBELL_SECRET_KEY" in wrong.out
    assert place.run("doctor", **here, **nobody).code == 0
    place.done("db", "rekey", "--yes")


def test_an_app_whose_address_does_not_answer_is_told(place):
    dead = {"DINGBELL_OAPI_URL": "http://127.0.0.1:1", "DINGBELL_AGENT_ID": "12"}
    told = place.run("doctor", "--json", **dead)
    assert told.code == 1
    (failed,) = [check for check in told.json if check["status"] == "fail"]
    assert "127.0.0.1:1" in failed["detail"]
    assert place.variables["DINGBELL_APP_SECRET"] not in told.out + told.err


def test_doctor_notices_a_wrong_secret_at_once_though_a_token_is_still_good(place):
    assert place.run("directory", "sync").code == 0
    wrong = place.run("doctor", "--json", DINGBELL_APP_SECRET=SECRET)
    assert wrong.code == 1
    (failed,) = [check for check in wrong.json if check["status"] == "fail"]
    assert failed["check"] == "app default"
    assert "wrong app key or app secret" in failed["detail"]
    assert SECRET not in wrong.out + wrong.err
    assert place.run("doctor").code == 0
