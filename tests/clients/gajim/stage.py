"""A client of nbxmpp, the library of Gajim, that the scripts beside this one direct: it does what it is told, and remembers what it hears."""

import os
import sys

from gi.repository import Gio, GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.protocol import JID, Iq, Message, Presence
from nbxmpp.structs import StanzaHandler

DOMAIN = os.environ["ORIOLE_DOMAIN"]
PASSWORD = os.environ["ORIOLE_PASSWORD"]
PATIENCE = 30

loop = GLib.MainContext.default()


def until(what, happened):
    """Turns the loop until something has happened."""
    late = []
    timer = GLib.timeout_add_seconds(PATIENCE, lambda: late.append(True) or GLib.SOURCE_REMOVE)
    while not happened():
        if late:
            sys.exit(f"{what} does not happen")
        loop.iteration(True)
    if not late:
        GLib.source_remove(timer)


class Session:
    def __init__(self, name, resource, password=PASSWORD):
        self.client = Client(log_context=resource)
        self.client.set_domain(DOMAIN)
        self.client.set_username(name)
        self.client.set_resource(resource)
        self.client.set_password(password)
        self.client.set_custom_host(os.environ["ORIOLE_C2S"], ConnectionProtocol.TCP, ConnectionType.START_TLS)
        certificate = Gio.TlsCertificate.new_from_file(os.environ["ORIOLE_CERTIFICATE"])
        self.client.set_accepted_certificates([certificate])
        self.happened, self.heard, self.archived, self.copies = [], [], [], []
        signals = ["connected", "disconnected", "connection-failed", "resume-successful", "resume-failed"]
        for signal in signals:
            self.client.subscribe(signal, lambda *_, signal=signal: self.happened.append(signal))
        self.client.register_handler(StanzaHandler(name="message", callback=self._message, priority=60))

    def _message(self, _client, stanza, properties):
        if properties.is_mam_message:
            self.archived.append(properties.body)
        elif properties.is_carbon_message:
            self.copies.append((properties.carbon.type, properties.body))
        elif properties.body:
            self.heard.append(properties.body)

    def connects(self, outcome="connected"):
        self.happened.clear()
        self.client.connect()
        until(f"{outcome} of {self.client.resource}", lambda: outcome in self.happened)

    def breaks(self):
        self.happened.clear()
        self.client.disconnect(immediate=True)
        until("the end of the connection", lambda: "disconnected" in self.happened)

    def asks(self, kind, to, payload, attributes=None):
        """The answer to a request."""
        answers = []
        iq = Iq(kind, to=to)
        iq.addChild(payload[0], namespace=payload[1], attrs=attributes or {})
        self.client.send_stanza(iq, callback=lambda _client, answer, *_: answers.append(answer))
        until(f"the answer to {payload}", lambda: answers)
        assert answers[0].getType() == "result", answers[0]
        return answers[0]

    def is_available(self):
        self.client.send_stanza(Presence())
        self.asks("get", DOMAIN, ("ping", "urn:xmpp:ping"))

    def says(self, to, body):
        self.client.send_stanza(Message(to=to, body=body, typ="chat"))

    def reads_archive(self):
        done = []
        self.archived.clear()

        # The library forgets callbacks that nobody else holds.
        def finished(task):
            done.append(task.finish())

        own = JID.from_string(f"{self.client.username}@{DOMAIN}")
        self.client.get_module("MAM").make_query(own, queryid="q", callback=finished)
        until("the end of the archive", lambda: done)
        assert done[0].complete, done[0]
        return self.archived
