"""Message carbons (XEP-0280): all clients of a user see what one of them says and hears."""

from xml.etree import ElementTree

from stage import jid

CARBONS = "{urn:xmpp:carbons:2}"


async def _clients(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    phone, desktop = await stage.online("juliet", "phone"), await stage.online("juliet", "desktop")
    for client in (phone, desktop):
        await client["xep_0280"].enable()
        await client.settle()
        client.heard.clear()
    return romeo, phone, desktop


async def every_client_sees_both_sides(stage):
    romeo, phone, desktop = await _clients(stage)
    romeo.send_message(mto=phone.boundjid, mbody="What shall I swear by?", mtype="chat")
    original = await phone.hears("message", body="What shall I swear by?")
    copy = (await desktop.has_heard("message"))[0]
    assert copy["from"] == jid("juliet"), copy
    inside = copy["carbon_received"]
    assert (inside["body"], inside["from"], inside["to"]) == ("What shall I swear by?", romeo.boundjid, phone.boundjid)
    archived = "{urn:xmpp:sid:0}stanza-id"
    assert inside.xml.find(archived).get("id") == original.xml.find(archived).get("id")

    desktop.send_message(mto=romeo.boundjid, mbody="Do not swear at all.", mtype="chat")
    heard = await romeo.hears("message", body="Do not swear at all.")
    assert heard.xml.find(archived).get("by") == jid("romeo"), "the id in her own archive is for her alone"
    copy = (await phone.has_heard("message"))[0]
    inside = copy["carbon_sent"]
    assert (copy["from"], inside["body"], inside["from"]) == (jid("juliet"), "Do not swear at all.", desktop.boundjid)
    assert await desktop.has_heard("message") == [], "no copy to who said it"


async def a_private_message_is_not_copied(stage):
    romeo, phone, desktop = await _clients(stage)
    message = romeo.make_message(mto=phone.boundjid, mbody="By yonder blessed moon", mtype="chat")
    message.append(ElementTree.fromstring("<private xmlns='urn:xmpp:carbons:2'/>"))
    message.append(ElementTree.fromstring("<no-copy xmlns='urn:xmpp:hints'/>"))
    message.send()
    await phone.hears("message", body="By yonder blessed moon")
    assert await desktop.has_heard("message") == []
    await desktop["xep_0280"].disable()
    romeo.send_message(mto=phone.boundjid, mbody="I vow", mtype="chat")
    await phone.hears("message", body="I vow")
    assert await desktop.has_heard("message") == []


async def forged_copies_do_not_arrive(stage):
    romeo, phone, _ = await _clients(stage)
    message = romeo.make_message(mto=phone.boundjid, mbody="forged", mtype="chat")
    message.append(
        ElementTree.fromstring(
            "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
            "<message xmlns='jabber:client' from='nurse@capulet.example' type='chat'><body>Come!</body></message>"
            "</forwarded></received>"
        )
    )
    message.append(ElementTree.fromstring(f"<stanza-id xmlns='urn:xmpp:sid:0' by='{jid('juliet')}' id='forged'/>"))
    message.send()
    heard = await phone.hears("message", body="forged")
    assert heard.xml.find(f"{CARBONS}received") is None, heard
    ids = [child.get("id") for child in heard.xml.findall("{urn:xmpp:sid:0}stanza-id")]
    assert len(ids) == 1 and ids != ["forged"], heard
