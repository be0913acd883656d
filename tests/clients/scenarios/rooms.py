"""Rooms (XEP-0045) as a client library knows them, with several users."""

from slixmpp.exceptions import IqError, PresenceError
from stage import DOMAIN, PATIENCE, jid

MUC = f"muc.{DOMAIN}"
ROOM = f"verona@{MUC}"


def _member(client):
    for plugin in ("xep_0004", "xep_0045", "xep_0249", "xep_0313", "xep_0421"):
        client.register_plugin(plugin)
    return client


async def _enter(client, nick, **options):
    return await client["xep_0045"].join_muc_wait(ROOM, nick, timeout=PATIENCE, **options)


async def _configure(owner, **fields):
    form = await owner["xep_0045"].get_room_config(ROOM)
    form.reply()
    for name, value in fields.items():
        form["values"] = {**form["values"], f"muc#roomconfig_{name}": value}
    await owner["xep_0045"].set_room_config(ROOM, form)


async def _cast(stage, *names):
    stage.account(*names)
    return [_member(await stage.online(name, "here")) for name in names]


async def _opened(stage, *names):
    """The first is the owner; all are in the room, under their own names."""
    clients = await _cast(stage, *names)
    await _enter(clients[0], names[0])
    await _configure(clients[0])
    for client, name in zip(clients[1:], names[1:]):
        await _enter(client, name)
    return clients


async def friends_meet_in_a_room(stage):
    romeo, juliet, nurse = await _opened(stage, "romeo", "juliet", "nurse")
    juliet.send_message(mto=ROOM, mbody="What's in a name?", mtype="groupchat")
    for client in (romeo, juliet, nurse):
        heard = await client.hears("message", body="What's in a name?")
        assert (heard["from"].full, heard["type"]) == (f"{ROOM}/juliet", "groupchat"), heard
    assert sorted(romeo["xep_0045"].get_roster(ROOM)) == ["juliet", "nurse", "romeo"]
    romeo.send_message(mto=f"{ROOM}/juliet", mbody="Hush", mtype="chat")
    heard = await juliet.hears("message", body="Hush")
    assert heard["from"].full == f"{ROOM}/romeo"
    assert not [message for message in await nurse.has_heard("message") if message["body"] == "Hush"]
    await nurse.leave()
    await romeo.hears("presence", type="unavailable", **{"from": f"{ROOM}/nurse"})


async def a_room_is_found_and_says_what_it_is(stage):
    romeo, juliet = await _cast(stage, "romeo", "juliet")
    items = (await juliet["xep_0030"].get_items(jid=DOMAIN))["disco_items"]["items"]
    assert MUC in {item[0] for item in items}, items
    await _enter(romeo, "romeo")
    await _configure(romeo, roomname="The Streets of Verona")
    rooms = (await juliet["xep_0030"].get_items(jid=MUC))["disco_items"]["items"]
    assert (ROOM, None, "The Streets of Verona") in rooms, rooms
    info = (await juliet["xep_0030"].get_info(jid=ROOM))["disco_info"]
    assert {"http://jabber.org/protocol/muc", "urn:xmpp:mam:2", "urn:xmpp:occupant-id:0"} <= set(info["features"]), info


async def who_comes_late_reads_what_was_said(stage):
    romeo, juliet = await _cast(stage, "romeo", "juliet")
    await _enter(romeo, "romeo")
    await _configure(romeo)
    for number in range(30):
        romeo.send_message(mto=ROOM, mbody=f"line {number}", mtype="groupchat")
    await romeo.hears("message", body="line 29")
    _, _, _, history = await _enter(juliet, "juliet", maxstanzas=5)
    assert [message["body"] for message in history] == [f"line {number}" for number in range(25, 30)]
    archived = [result async for result in juliet["xep_0313"].iterate(jid=ROOM)]
    bodies = [result["mam_result"]["forwarded"]["stanza"]["body"] for result in archived]
    assert bodies == [f"line {number}" for number in range(30)], bodies


async def a_moderator_keeps_order(stage):
    romeo, juliet, tybalt = await _opened(stage, "romeo", "juliet", "tybalt")
    await romeo["xep_0045"].set_role(ROOM, "tybalt", "none", reason="Peace, I say")
    gone = await tybalt.hears("presence", type="unavailable", **{"from": f"{ROOM}/tybalt"})
    assert 307 in gone["muc"]["status_codes"], gone
    await romeo["xep_0045"].set_affiliation(ROOM, "outcast", jid=jid("tybalt"))
    try:
        await _enter(tybalt, "tybalt")
    except PresenceError as error:
        assert error.condition == "forbidden", error
    else:
        raise AssertionError("who is banned has entered")
    assert await romeo["xep_0045"].get_affiliation_list(ROOM, "outcast") == [jid("tybalt")]
    try:
        await juliet["xep_0045"].get_affiliation_list(ROOM, "outcast")
    except IqError as error:
        assert error.condition == "forbidden", error
    else:
        raise AssertionError("a participant reads the list of the banned")


async def a_room_for_members_and_its_invitations(stage):
    romeo, juliet, tybalt = await _cast(stage, "romeo", "juliet", "tybalt")
    await _enter(romeo, "romeo")
    await _configure(romeo, membersonly=True, persistentroom=True)
    romeo["xep_0045"].invite(ROOM, jid("juliet"), reason="Come")
    invited = await juliet.hears("message", **{"from": ROOM})
    assert invited.xml.find(".//{http://jabber.org/protocol/muc#user}reason").text == "Come"
    await _enter(juliet, "juliet")
    try:
        await _enter(tybalt, "tybalt")
    except PresenceError as error:
        assert error.condition == "registration-required", error
    else:
        raise AssertionError("a stranger has entered")


async def a_room_ends_when_its_owner_says_so(stage):
    romeo, juliet = await _opened(stage, "romeo", "juliet")
    await romeo["xep_0045"].destroy(ROOM, reason="A plague on both your houses")
    gone = await juliet.hears("presence", type="unavailable", **{"from": f"{ROOM}/juliet"})
    assert gone.xml.find(".//{http://jabber.org/protocol/muc#user}destroy") is not None, gone
    own, _, _, _ = await _enter(juliet, "juliet")
    assert 201 in own["muc"]["status_codes"]


async def somebody_on_a_terminal_is_in_the_room(stage):
    """Romeo uses another program, and comes when he sees the room."""
    (juliet,) = await _cast(stage, "juliet")
    await _enter(juliet, "juliet")
    await _configure(juliet, roomname="The Streets of Verona", persistentroom=True)
    await juliet.hears("presence", **{"from": f"{ROOM}/romeo"})
    juliet.send_message(mto=ROOM, mbody="What's in a name?", mtype="groupchat")
    said = "By a name I know not how to tell thee who I am"
    heard = await juliet.hears("message", body=said)
    assert (heard["from"].full, heard["type"]) == (f"{ROOM}/romeo", "groupchat"), heard
    juliet["xep_0045"].set_subject(ROOM, "The balcony")
    await juliet.hears("message", body="Wilt thou leave me so?", **{"from": f"{ROOM}/romeo"})
    juliet.send_message(mto=f"{ROOM}/romeo", mbody="What satisfaction canst thou have?", mtype="chat")
    await juliet.hears("presence", type="unavailable", **{"from": f"{ROOM}/romeo"})
    kept = [result async for result in juliet["xep_0313"].iterate(jid=ROOM)]
    bodies = [result["mam_result"]["forwarded"]["stanza"]["body"] for result in kept]
    assert [body for body in bodies if body] == ["What's in a name?", said], bodies
