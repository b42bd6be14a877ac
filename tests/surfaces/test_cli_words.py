"""`templates …`, `messages preview`, and sends of saved words and files."""

from __future__ import annotations

import json

PNG = b"\x89PNG\r\n\x1a\n"


def test_words_are_saved_shown_sent_and_forgotten(place, company):
    assert place.json("templates", "put", "shuttle", "--text", "班车 {{ vars.at }}")["version"] == 1
    assert "version 2" in place.done(
        "templates", "put", "shuttle", "--text", "班车 {{ vars.at }} 发车"
    )
    assert "nothing to change" in place.done(
        "templates", "put", "shuttle", "--text", "班车 {{ vars.at }} 发车"
    )
    (listed,) = place.json("templates", "list")
    assert (listed["name"], listed["version"]) == ("shuttle", 2)
    old = place.json("templates", "show", "shuttle", "--version", 1)
    assert (old["content"], old["versions"]) == ({"text": "班车 {{ vars.at }}"}, [2, 1])
    sent = place.json(
        "send", "--to", "users:manager4220", "--template", "shuttle", "--var", "at=017:30", "--wait"
    )
    assert (sent["template"], sent["template_version"]) == ("shuttle", 2)
    assert company.texts("manager4220")[-1] == "班车 017:30 发车"
    assert "template shuttle, version 2" in place.done("runs", "show", sent["id"])
    place.done("templates", "delete", "shuttle")
    assert "no template 'shuttle'" in place.refused("templates", "show", "shuttle")
    assert "no template 'shuttle'" in place.refused(
        "send", "--to", "users:manager4220", "--template", "shuttle"
    )


def test_a_file_is_sent_by_its_path(place, company):
    (place.folder / "poster.png").write_bytes(PNG)
    place.write("notice.json", json.dumps({"image": "poster.png"}))
    sent = place.json("send", "--to", "users:manager7675", "--message", "@notice.json", "--wait")
    assert sent["totals"].keys() <= {"unread", "read"}
    shown = company.ask("inbox/manager7675")[-1]["msg"]
    assert shown["image"]["media_id"].startswith("@lAL")
    (place.folder / "a.exe").write_bytes(b"MZ")
    said = place.refused("send", "--to", "users:manager7675", "--attach", "a.exe")
    assert "DingTalk takes no file of this kind" in said


def test_a_preview_shows_the_message_and_its_size(place):
    text = "**{{ person.name }}**\n{{ vars.sum|money }}"
    message = json.dumps({"markdown": {"title": "t", "text": text}})
    about = ["messages", "preview", "--person", "manager4220", "--var", "sum=15.60"]
    found = place.json(*about, "--message", message)
    asked, longest = found["renderings"]
    assert asked["message"]["markdown"]["text"].endswith("**\n¥15.60")
    assert (asked["bytes"], found["limit"], longest["why"]) == (longest["bytes"], 2048, "longest")
    ran = place.run(*about, "--message", message)
    assert "manager4220" in ran.out
    assert "/2048 bytes" in ran.out
    assert "line ends are shown as blanks" in ran.err
    broken = place.json("messages", "preview", "--to", "everyone", "--text", "{{ person.x }}")
    assert broken["failing"] == broken["people"] == 50
    assert [one["why"] for one in broken["renderings"]] == ["problem"] * 3


def test_a_schedule_of_a_file_is_previewed_before_it_is_applied(place):
    place.write(
        "dingbell.yaml",
        """
templates: {pay: {text: "{{ vars.sum|rmb }} {{ schedule.name }}"}}
schedules:
  s:
    {when: {daily: "16:00"}, to: {users: [manager4220]}, message: {template: pay}, vars: {sum: 1.5}}
  poster: {when: {daily: "16:00"}, to: {users: [manager4220]}, message: {image: ./none.png}}
""",
    )
    said = place.refused("plan")
    assert "dingbell.yaml:6:" in said
    assert "schedules.poster.message: image: cannot read ./none.png" in said
    (place.folder / "none.png").write_bytes(PNG)
    found = place.json("messages", "preview", "s", "--file", "dingbell.yaml")
    assert found["renderings"][0]["message"]["text"]["content"] == "壹元伍角整 s"
    assert {(one["kind"], one["name"]) for one in place.json("plan")} == {
        ("template", "pay"),
        ("schedule", "s"),
        ("schedule", "poster"),
    }
    place.done("apply")
    assert place.json("templates", "show", "pay")["schedules"] == ["s"]
    assert "what schedules say: s" in place.refused("templates", "delete", "pay", code=1)
    assert place.json("plan") == []
    assert place.json("messages", "preview", "poster")["people"] == 1
