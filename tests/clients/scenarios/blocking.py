"""The blocking command (XEP-0191)."""

from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath
from stage import jid


async def _blocked(client):
    return {str(item) for item in await client["xep_0191"].get_blocked_jids()}


async def blocked_users_cannot_reach_each_other(stage):
    stage.account("romeo", "tybalt")
    romeo, tybalt = await stage.online("romeo", "garden"), await stage.online("tybalt", "street")
    await romeo["xep_0191"].block(jid("tybalt"))
    assert await _blocked(romeo) == {jid("tybalt")}
    tybalt.send_message(mto=jid("romeo"), mbody="Thou art a villain", mtype="chat")
    refused = await tybalt.hears("message", type="error")
    assert refused["error"]["condition"] == "service-unavailable", refused
    romeo.send_message(mto=jid("tybalt"), mbody="I do protest", mtype="chat")
    refused = await romeo.hears("message", type="error")
    assert refused["error"]["condition"] == "not-acceptable", refused
    assert refused.xml.find(".//{urn:xmpp:blocking:errors}blocked") is not None, refused
    assert await tybalt.has_heard("message") == []

    await romeo["xep_0191"].unblock(jid("tybalt"))
    assert await _blocked(romeo) == set()
    tybalt.send_message(mto=jid("romeo"), mbody="Boy", mtype="chat")
    await romeo.hears("message", body="Boy")
    archive = [result["mam_result"]["forwarded"]["stanza"]["body"] async for result in romeo["xep_0313"].iterate()]
    assert archive == ["Boy"], "what was refused is in no archive"


async def a_blocked_friend_sees_the_user_go_and_come_back(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    await juliet["xep_0191"].block(jid("romeo"))
    await romeo.hears("presence", type="unavailable", **{"from": juliet.boundjid.full})
    juliet.send_presence(pshow="away")
    await juliet.settle()
    assert await romeo.has_heard("presence") == [], "and hears no more"
    romeo.send_presence(pshow="xa")
    await romeo.settle()
    assert [str(p["from"]) for p in await juliet.has_heard("presence")] == [juliet.boundjid.full], "nor does she"
    await juliet["xep_0191"].unblock(jid("romeo"))
    back = await romeo.hears("presence", **{"from": juliet.boundjid.full})
    assert back["show"] == "away", back
    seen = await juliet.hears("presence", **{"from": romeo.boundjid.full})
    assert seen["show"] == "xa", "she sees what she has missed"


async def every_client_learns_who_is_blocked(stage):
    stage.account("juliet")
    phone, desktop = await stage.online("juliet", "phone"), await stage.online("juliet", "desktop")
    await _blocked(phone)
    pushes = []
    phone.register_handler(Callback("block push", StanzaPath("iq@type=set/block"), pushes.append))
    await desktop["xep_0191"].block([jid("tybalt"), "verona.example"])
    await phone.settle()
    assert [{str(item["jid"]) for item in push["block"]} for push in pushes] == [{jid("tybalt"), "verona.example"}]
