"""What the scenarios share: where the server is, accounts on it, and clients that remember what they hear."""

import asyncio
import contextlib
import os
import pathlib
import subprocess

import slixmpp
from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

DOMAIN = os.environ["ORIOLE_DOMAIN"]
PASSWORD = "wherefore art thou"
PLUGINS = ["xep_0012", "xep_0030", "xep_0049", "xep_0054", "xep_0077", "xep_0092", "xep_0199", "xep_0202", "xep_0203"]
PLUGINS += ["xep_0191", "xep_0280", "xep_0313"]
# How long any answer may take on a slow and busy machine.
PATIENCE = 30


def jid(name, resource=""):
    return f"{name}@{DOMAIN}" + (f"/{resource}" if resource else "")


def address(listener):
    """Host and port of one of the server's listeners: C2S, C2S_TLS or COMPONENT."""
    host, port = os.environ[f"ORIOLE_{listener}"].rsplit(":", 1)
    return host, int(port)


def certificate():
    return pathlib.Path(os.environ["ORIOLE_CERTIFICATE"])


class LoginFailed(Exception):
    """The condition with which the server refused, or why the connection ended."""


class Hearing:
    """Remembers stanzas until the scenario asks for them."""

    def listen(self):
        self.heard = []
        self.more = asyncio.Condition()
        for kind in ("message", "presence", "iq@type=set/roster"):
            self.register_handler(Callback(f"heard {kind}", StanzaPath(kind), self._hear))

    def _hear(self, stanza):
        self.heard.append(stanza)
        asyncio.ensure_future(self._tell())

    async def _tell(self):
        async with self.more:
            self.more.notify_all()

    async def hears(self, kind, **expected):
        """Waits for a message, presence or iq whose parts are as expected, and takes it: hears("message", body="Hi")."""

        def find():
            for stanza in self.heard:
                if stanza.name == kind and all(str(stanza[part]) == value for part, value in expected.items()):
                    self.heard.remove(stanza)
                    return stanza
            return None

        async with self.more:
            found = find()
            try:
                while found is None:
                    await asyncio.wait_for(self.more.wait(), PATIENCE)
                    found = find()
            except TimeoutError:
                raise AssertionError(f"{self.boundjid} did not hear {kind} {expected}, but {self.heard}") from None
            return found

    async def has_heard(self, kind):
        """What was heard of a kind, once the server has dealt with everything that was sent so far."""
        await self.settle()
        taken = [stanza for stanza in self.heard if stanza.name == kind]
        self.heard = [stanza for stanza in self.heard if stanza.name != kind]
        return taken

    async def settle(self):
        await self["xep_0199"].send_ping(DOMAIN, timeout=PATIENCE)


class Client(Hearing, slixmpp.ClientXMPP):
    """A client that does nothing the scenario does not ask for."""

    def __init__(self, name, resource="", password=PASSWORD, mechanism=None):
        super().__init__(jid(name, resource), password, sasl_mech=mechanism)
        self.ca_certs = certificate()
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self["xep_0077"].create_account = False
        self.outcome = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.refusal = "the connection ended"
        self.add_event_handler("session_start", lambda _: self._settle(None))
        self.add_event_handler("failed_auth", self._refused)
        self.add_event_handler("failed_all_auth", lambda _: self._settle(LoginFailed(self.refusal)))
        self.add_event_handler("register_refused", lambda error: self._settle(error))
        self.add_event_handler("stream_error", self._stream_error)
        self.add_event_handler("disconnected", self._disconnected)
        self.listen()

    async def log_in(self, listener="C2S"):
        self.enable_direct_tls = listener == "C2S_TLS"
        self.enable_starttls = listener == "C2S"
        self.connect(*address(listener))
        await asyncio.wait_for(self.outcome, PATIENCE)
        return self

    async def leave(self):
        await self.disconnect(wait=2)

    def _settle(self, error):
        if self.outcome.done():
            return
        if error is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(error)

    def _refused(self, failure):
        self.refusal = failure["condition"]

    def _stream_error(self, error):
        self.refusal = error["condition"]

    def _disconnected(self, _):
        self._settle(LoginFailed(self.refusal))
        # slixmpp would connect again by itself.
        self.cancel_connection_attempt()
        if not self.ended.done():
            self.ended.set_result(self.refusal)


class Component(Hearing, ComponentXMPP):
    """A component, such as a gateway."""

    def __init__(self, domain, secret):
        super().__init__(domain, secret, *address("COMPONENT"))
        for plugin in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        self.started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: self.started.done() or self.started.set_result(True))
        self.add_event_handler("disconnected", lambda _: self.started.done() or self.started.set_result(False))
        self.listen()

    async def attach(self):
        """Whether the server takes the component."""
        self.connect()
        return await asyncio.wait_for(self.started, PATIENCE)


class Stage:
    """The clients of one scenario, and the operator of the server."""

    def __init__(self):
        self.clients = []

    def account(self, *names):
        for name in names:
            self.oriole("user", "add", jid(name), "--password-stdin", input=PASSWORD)

    def oriole(self, *arguments, input=""):
        command = [os.environ["ORIOLE_PROGRAM"], "--config", os.environ["ORIOLE_CONFIG"], *arguments]
        return subprocess.run(command, input=input, text=True, check=True, capture_output=True).stdout

    def client(self, *arguments, **options):
        client = Client(*arguments, **options)
        self.clients.append(client)
        return client

    async def log_in(self, name, resource="", **options):
        """A client that is logged in and has sent no presence."""
        return await self.client(name, resource, **options).log_in()

    async def online(self, name, resource="", priority=None):
        """A client that is logged in, has its roster and is available."""
        client = await self.log_in(name, resource)
        await client.get_roster()
        client.send_presence(ppriority=priority)
        await client.hears("presence", **{"from": client.boundjid.full})
        return client

    async def friends(self, *names):
        """Users with accounts who see each other's presence; returns clients that are online."""
        self.account(*names)
        clients = [await self.online(name, "home") for name in names]
        for client in clients:
            for other in clients:
                if other is not client:
                    client.send_presence(pto=other.boundjid.bare, ptype="subscribe")
                    await other.hears("presence", type="subscribe", **{"from": client.boundjid.bare})
                    other.send_presence(pto=client.boundjid.bare, ptype="subscribed")
                    await client.hears("presence", type="available", **{"from": other.boundjid.full})
        for client in clients:
            await client.settle()
            client.heard.clear()
        return clients

    async def component(self, domain, secret):
        component = Component(domain, secret)
        self.clients.append(component)
        return component if await component.attach() else None

    async def clear(self):
        for client in self.clients:
            # slixmpp trips over connections that are closing already.
            with contextlib.suppress(AttributeError):
                client.abort()
