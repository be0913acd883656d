"""A second client library, written by other people: aioxmpp."""

import asyncio

import aioxmpp
import aiosasl
import OpenSSL
from aiosasl.channel_binding import ChannelBindingProvider
from stage import PASSWORD, PATIENCE, address, certificate, jid


class _Exporter(ChannelBindingProvider):
    """RFC 9266, which aiosasl is too old to know: what binds a login to its TLS connection."""

    cb_name = b"tls-exporter"

    def __init__(self, connection):
        self.connection = connection

    def extract_cb_data(self):
        return self.connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


class _BoundLogin(aioxmpp.security_layer.SASLProvider):
    """Logs in by one of the SCRAM mechanisms that end in -PLUS, or not at all."""

    def __init__(self, password):
        self.password = password
        self.used = None

    async def execute(self, client_jid, features, xmlstream, tls_transport):
        mechanism, token = self._find_supported(features, [aiosasl.SCRAMPLUS])
        self.used = token[0]

        async def credentials():
            return client_jid.localpart, self.password

        binding = _Exporter(tls_transport.get_extra_info("ssl_object"))
        interface = aioxmpp.sasl.SASLXMPPInterface(xmlstream)
        return await self._execute(interface, mechanism(credentials, binding), token)


def _trusting():
    context = OpenSSL.SSL.Context(OpenSSL.SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(str(certificate()))
    return context


def _client(name, listener="C2S", sasl=None):
    security = aioxmpp.make_security_layer(PASSWORD, ssl_context_factory=_trusting)
    if sasl is not None:
        security = security._replace(sasl_providers=[sasl])
    connectors = {"C2S": aioxmpp.connector.STARTTLSConnector, "C2S_TLS": aioxmpp.connector.XMPPOverTLSConnector}
    peer = (*address(listener), connectors[listener]())
    client = aioxmpp.PresenceManagedClient(aioxmpp.JID.fromstr(name), security, override_peer=[peer], max_initial_attempts=1)
    client.backoff_start = None
    return client


async def both_libraries_understand_each_other(stage):
    stage.account("romeo", "juliet")
    juliet = await stage.online("juliet", "balcony")
    for listener in ("C2S", "C2S_TLS"):
        romeo = _client(jid("romeo", listener), listener)
        heard = asyncio.Queue()
        dispatcher = romeo.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
        dispatcher.register_callback(aioxmpp.MessageType.CHAT, None, heard.put_nowait)
        roster = romeo.summon(aioxmpp.RosterClient)
        romeo.summon(aioxmpp.DiscoServer)
        async with romeo.connected():
            letter = aioxmpp.Message(to=aioxmpp.JID.fromstr(jid("juliet")), type_=aioxmpp.MessageType.CHAT)
            letter.body[None] = "Did my heart love till now? ☃"
            await romeo.send(letter)
            received = await juliet.hears("message", body="Did my heart love till now? ☃")
            received.reply("Ay me!").send()
            answer = await asyncio.wait_for(heard.get(), PATIENCE)
            assert answer.body.any() == "Ay me!"
            assert str(answer.from_) == jid("juliet", "balcony")

            await roster.set_entry(aioxmpp.JID.fromstr(jid("juliet")), name=f"Juliet by {listener}")
            names = {str(contact): item.name for contact, item in roster.items.items()}
            assert names == {jid("juliet"): f"Juliet by {listener}"}, names
            info = await romeo.summon(aioxmpp.DiscoClient).query_info(romeo.local_jid.replace(localpart=None, resource=None))
            assert "urn:xmpp:ping" in info.features, info.features


async def it_logs_in_bound_to_the_channel(stage):
    stage.account("romeo")
    for listener in ("C2S", "C2S_TLS"):
        login = _BoundLogin(PASSWORD)
        romeo = _client(jid("romeo", "garden"), listener, login)
        async with romeo.connected():
            assert login.used == "SCRAM-SHA-256-PLUS", login.used
            await aioxmpp.ping.ping(romeo, romeo.local_jid.bare())
    try:
        async with _client(jid("romeo", "garden"), sasl=_BoundLogin("guessed")).connected():
            raise AssertionError("a wrong password lets a client in")
    except aiosasl.AuthenticationFailure:
        pass
