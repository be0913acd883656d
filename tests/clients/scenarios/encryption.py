"""End-to-end encryption with OMEMO (XEP-0384): the server keeps device lists and keys, and carries what it cannot read."""

import asyncio
import sys

from slixmpp import JID
from slixmpp.plugins.base import register_plugin
from stage import PATIENCE, jid

AXOLOTL = "eu.siacs.conversations.axolotl"


def _plugin(device):
    """The client's side of OMEMO, whose keys are kept in `device`: a client that comes again is the same device."""
    # Here, so that the other scenarios need no cryptography.
    from omemo.storage import Just, Nothing, Storage
    from slixmpp_omemo import XEP_0384

    class Keys(Storage):
        async def _load(self, key):
            return Just(device[key]) if key in device else Nothing()

        async def _store(self, key, value):
            device[key] = value

        async def _delete(self, key):
            device.pop(key, None)

    class Omemo(XEP_0384):
        _btbv_enabled = True
        keys = Keys()

        @property
        def storage(self):
            return self.keys

        async def _prompt_manual_trust(self, manually_trusted, identifier):
            raise AssertionError("every device is trusted when it is first seen")

    return Omemo


async def _online(stage, name, device):
    """A client that is available and has published its keys, or found them as it had published them."""
    client = stage.client(name, "phone")
    plugin = _plugin(device)
    register_plugin(plugin)
    client.register_plugin("xep_0384", module=sys.modules[__name__])
    ready = asyncio.get_running_loop().create_future()
    client.add_event_handler("omemo_initialized", lambda _: ready.done() or ready.set_result(None))
    await client.log_in()
    await client.get_roster()
    client.send_presence()
    await asyncio.wait_for(ready, PATIENCE)
    return client


async def _whispers(client, to, text):
    message = client.make_message(mto=JID(to), mtype="chat", mbody=text)
    encrypted, errors = await client["xep_0384"].encrypt_message(message, JID(to))
    assert not errors, errors
    encrypted.send()


async def _understands(client, text):
    message = await client.hears("message", type="chat")
    encrypted = client["xep_0384"].is_encrypted(message)
    assert encrypted and text not in str(message), message
    clear, device = await client["xep_0384"].decrypt_message(message)
    assert clear["body"] == text, clear
    return device


async def two_who_are_online_whisper(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await _online(stage, "romeo", {}), await _online(stage, "juliet", {})
    await _whispers(romeo, jid("juliet"), "It is my soul that calls upon my name")
    device = await _understands(juliet, "It is my soul that calls upon my name")
    assert device.bare_jid == jid("romeo"), device
    for number in range(3):
        await _whispers(juliet, jid("romeo"), f"What o'clock tomorrow? {number}")
        await _understands(romeo, f"What o'clock tomorrow? {number}")
        await _whispers(romeo, jid("juliet"), f"By the hour of nine {number}")
        await _understands(juliet, f"By the hour of nine {number}")


async def one_who_is_offline_reads_it_later(stage):
    stage.account("romeo", "juliet")
    phone = {}
    juliet = await _online(stage, "juliet", phone)
    await juliet.leave()
    romeo = await _online(stage, "romeo", {})
    await _whispers(romeo, jid("juliet"), "I fear, too early")
    await romeo.settle()
    juliet = await _online(stage, "juliet", phone)
    await _understands(juliet, "I fear, too early")
    await _whispers(juliet, jid("romeo"), "Parting is such sweet sorrow")
    await _understands(romeo, "Parting is such sweet sorrow")
