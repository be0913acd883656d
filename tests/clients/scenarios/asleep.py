"""A phone that sleeps: it is woken (XEP-0357), goes on with its stream (XEP-0198), or finds all it has missed (XEP-0313)."""

import asyncio
from xml.etree import ElementTree

from stage import DOMAIN, PATIENCE, address, jid

APP = "echo.capulet.example"
PUBSUB = "{http://jabber.org/protocol/pubsub}"
DATA = "{jabber:x:data}"


class _AppServer:
    """The push service of an app, behind a component."""

    def __init__(self, component):
        self.component = component
        self.told = asyncio.Queue()
        component.add_filter("in", self._hear)

    def _hear(self, stanza):
        publish = stanza.xml.find(f"{PUBSUB}pubsub/{PUBSUB}publish")
        if publish is None:
            return stanza
        fields = {field.get("var"): field.findtext(f"{DATA}value") for field in publish.iter(f"{DATA}field")}
        self.told.put_nowait((publish.get("node"), fields))
        stanza.reply().send()
        return None

    async def hears(self):
        return await asyncio.wait_for(self.told.get(), PATIENCE)

    async def hears_nothing(self):
        await self.component["xep_0199"].send_ping(DOMAIN, ifrom=APP, timeout=PATIENCE)
        assert self.told.empty(), self.told.get_nowait()


async def _phone(stage):
    """Juliet's phone, which can go on with its stream and has named a push service."""
    phone = stage.client("juliet", "phone")
    for plugin in ("xep_0198", "xep_0352"):
        phone.register_plugin(plugin)
    enabled = asyncio.get_running_loop().create_future()
    phone.add_event_handler("sm_enabled", lambda _: enabled.done() or enabled.set_result(True))
    phone.resumed = asyncio.Queue()
    phone.add_event_handler("session_resumed", phone.resumed.put_nowait)
    await phone.log_in()
    await asyncio.wait_for(enabled, PATIENCE)
    await phone["xep_0280"].enable()
    enable = phone.make_iq_set()
    enable.append(ElementTree.fromstring(f"<enable xmlns='urn:xmpp:push:0' jid='{APP}' node='n1'/>"))
    await enable.send()
    phone.send_presence()
    await phone.hears("presence", **{"from": phone.boundjid.full})
    return phone


async def _verona(stage):
    stage.account("romeo", "juliet")
    app = _AppServer(await stage.component(APP, "s3cret"))
    return app, await stage.online("romeo", "garden"), await _phone(stage)


async def _falls_asleep(phone):
    phone.ended = asyncio.get_running_loop().create_future()
    phone.abort()
    await asyncio.wait_for(phone.ended, PATIENCE)


async def a_phone_that_sleeps_is_woken_and_has_missed_nothing(stage):
    app, romeo, phone = await _verona(stage)
    for night in range(3):
        await _falls_asleep(phone)
        for number in range(5):
            romeo.send_message(mto=jid("juliet"), mbody=f"{night}: {number}", mtype="chat")
        node, fields = await app.hears()
        assert node == "n1" and int(fields["message-count"]) >= 1, (node, fields)
        assert "last-message-body" not in fields and "last-message-sender" not in fields, fields
        await romeo.settle()
        phone.connect(*address("C2S"))
        await asyncio.wait_for(phone.resumed.get(), PATIENCE)
        await phone.hears("message", body=f"{night}: 4")
        heard = [message["body"] for message in await phone.has_heard("message")]
        assert heard == [f"{night}: {number}" for number in range(4)], heard
        # What came while it slept was told in one or two notifications; now there are no more.
        while not app.told.empty():
            app.told.get_nowait()
        await app.hears_nothing()


async def a_phone_whose_user_does_not_look_is_left_in_peace(stage):
    app, romeo, phone = await _verona(stage)
    phone["xep_0352"].send_inactive()
    await phone.settle()
    phone.heard.clear()
    for show in ("away", "dnd", "xa"):
        romeo.send_presence(pto=phone.boundjid, pshow=show)
    typing = romeo.make_message(mto=jid("juliet"), mtype="chat")
    typing.append(ElementTree.fromstring("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
    typing.send()
    await romeo.settle()
    romeo.send_message(mto=jid("juliet"), mbody="Look!", mtype="chat")
    # With it comes what has waited: of all that he showed the last.
    await phone.hears("message", body="Look!")
    shows = [presence["type"] for presence in phone.heard if presence.name == "presence"]
    assert shows == ["xa"], shows
    await app.hears_nothing()


async def a_phone_that_starts_anew_reads_what_it_has_missed_in_the_archive(stage):
    app, romeo, phone = await _verona(stage)
    desktop = await stage.online("juliet", "desktop")
    romeo.send_message(mto=jid("juliet"), mbody="before", mtype="chat")
    before = await phone.hears("message", body="before")
    last = before.xml.find("{urn:xmpp:sid:0}stanza-id").get("id")
    await _falls_asleep(phone)
    romeo.send_message(mto=jid("juliet"), mbody="to you", mtype="chat")
    await app.hears()
    # What she is told may be of the message before, which her phone had not acknowledged.
    await desktop.hears("message", body="to you")
    desktop.send_message(mto=romeo.boundjid, mbody="from you", mtype="chat")
    await romeo.hears("message", body="from you")
    # It has lost its stream, its roster and all, but not what it has read last.
    phone = await stage.online("juliet", "phone")
    missed = [
        result["mam_result"]["forwarded"]["stanza"]["body"]
        async for result in phone["xep_0313"].iterate(rsm={"after": last})
    ]
    assert missed == ["to you", "from you"], missed
