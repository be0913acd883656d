"""nbxmpp, the library of Gajim, with a plug-in for tokens (XEP-0484), which it lacks: it logs in by a token instead of the password, and takes
its stream up again along with that, in one round trip.

Connections, TLS, SASL2, the stream and its counts are the library's. The server runs already; the environment says where. Prints "done";
whatever else happens is a failure.
"""

import hashlib
import hmac
import ssl

import nbxmpp.client
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import Node
from nbxmpp.sasl import SASL, BaseMechanism, get_initiate_nonza
from nbxmpp.util import b64decode, b64encode

from stage import DOMAIN, Session, until

FAST = "urn:xmpp:fast:0"
PHONE = "d4565fa7-4d72-4749-b3d3-740edbf87770"


class HashedToken(BaseMechanism):
    """HT-SHA-256: a proof in one message, and the server's in return."""

    def __init__(self, username, token, name, binding):
        super().__init__(username, token, DOMAIN)
        self.name = name
        self._binding = binding

    def get_initiate_data(self):
        return b64encode(self._username.encode() + b"\0" + self._hashed(b"Initiator"))

    def validate_success_data(self, data):
        assert hmac.compare_digest(b64decode(data), self._hashed(b"Responder")), "the server has not the token"

    def _hashed(self, by):
        return hmac.digest(self._password.encode(), by + self._binding, hashlib.sha256)


class Tokens(SASL):
    """Authentication as the library does it, but that it knows tokens."""

    def __init__(self, client):
        super().__init__(client)
        # The mechanism that tokens are asked and used for.
        self.mechanism = None
        self.token = None
        self.count = 0
        # Whether the next login asks for a token, or gives its own back.
        self.asks = False
        self.gives_back = False
        # What the server has said since the last login began.
        self.answers = []

    def start_auth(self, features):
        self.answers.clear()
        if self.token is None:
            super().start_auth(features)
            return
        inline = features.getTag("authentication", namespace=Namespace.SASL2).getTag("inline")
        offered = [one.getData() for one in inline.getTag("fast", namespace=FAST).getTags("mechanism")]
        assert self.mechanism in offered, offered
        self._sasl_ns, self._error = Namespace.SASL2, None
        self._mechanism = HashedToken(self._client.username, self.token, self.mechanism, self._binding())
        self._send_initiate()

    def _binding(self):
        """What the proof covers of the connection (RFC 5929 section 4); the library itself binds to nothing."""
        if not self.mechanism.endswith("-ENDP"):
            return b""
        certificate, _errors = self._client.peer_certificate
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.props.certificate_pem)).digest()

    def _send_initiate(self):
        data = self._mechanism.get_initiate_data()
        login = get_initiate_nonza(self._sasl_ns, self._mechanism.name, data)
        login.addChild("user-agent", attrs={"id": PHONE})
        if self.token is not None:
            self.count += 1
            given_back = {"invalidate": "true"} if self.gives_back else {}
            login.addChild("fast", namespace=FAST, attrs={"count": str(self.count), **given_back})
        if self.asks:
            login.addChild("request-token", namespace=FAST, attrs={"mechanism": self.mechanism})
        resume = self._resume()
        if resume is not None:
            login.addChild(node=resume)
        self._client.send_nonza(login)

    def _resume(self):
        """What the library would send later to take its stream up; now it is part of the login."""
        if not self._client.resumeable:
            return None
        said = []
        self._client.send_nonza = lambda nonza, now=False: said.append(nonza)
        self._client._smacks.resume_request()
        del self._client.send_nonza
        (resume,) = said
        return Node(node=resume)

    def delegate(self, stanza):
        self.answers.append(stanza.getName())
        super().delegate(stanza)

    def _on_sasl_finished(self, successful, reason, text=None):
        if not successful:
            # Whoever is refused with a token has none.
            self.token = None
        super()._on_sasl_finished(successful, reason, text)

    def _on_success(self, stanza):
        given = stanza.getTag("token", namespace=FAST)
        if given is not None:
            self.token, self.count = given.getAttr("token"), 0
        elif self.gives_back:
            self.token = None
        self.asks = self.gives_back = False
        resumed = stanza.getTag("resumed", namespace=Namespace.STREAM_MGMT)
        if resumed is None:
            super()._on_success(stanza)
            return
        self._mechanism.validate_success_data(stanza.getTagData("additional-data"))
        self._client._stream_authenticated = True
        self._client._smacks.delegate(resumed)


# The library makes its own with each client.
nbxmpp.client.SASL = Tokens


class Phone(Session):
    def __init__(self, name, mechanism, **credentials):
        super().__init__(name, "phone", **credentials)
        self.tokens.mechanism = mechanism

    @property
    def tokens(self):
        return self.client._sasl

    def is_refused(self):
        """Whether the next attempt is."""
        self.connects("disconnected")
        return self.client.get_error()[1] == "not-authorized"


def one_round_trip(phone):
    """The last login was the request and the answer to it, and then stanzas flowed."""
    assert phone.tokens.answers == ["success"], phone.tokens.answers


def with_token(name, mechanism, token, count=0):
    """Another installation of the client, with the same id and its password forgotten."""
    phone = Phone(name, mechanism, password="forgotten")
    phone.tokens.token, phone.tokens.count = token, count
    return phone


def nights(phone, romeo, name):
    """The phone loses its connection, and by its token misses nothing."""
    heard = []
    for night in range(3):
        phone.breaks()
        for number in range(10):
            romeo.says(f"{name}@{DOMAIN}", f"{night}.{number}")
            heard.append(f"{night}.{number}")
        romeo.asks("get", DOMAIN, ("ping", "urn:xmpp:ping"))
        phone.connects("resume-successful")
        one_round_trip(phone)
        assert phone.tokens.count == night + 1
        until("what was missed", lambda: len(phone.heard) >= len(heard))
    assert phone.heard == heard, phone.heard


def life_of_tokens(name, mechanism, romeo):
    phone = Phone(name, mechanism)
    # Section 3.2: the first one for the password.
    phone.tokens.asks = True
    phone.connects()
    first = phone.tokens.token
    assert first and phone.tokens.answers == ["challenge", "success"], phone.tokens.answers
    phone.is_available()
    until("resumption can be had", lambda: phone.client.resumeable)
    # Section 3.4, and from here on without the password.
    phone.client.set_password("forgotten")
    nights(phone, romeo, name)
    # Section 3.5: another one by the first, which is good until the other one is used.
    phone.breaks()
    used = phone.tokens.count + 1
    phone.tokens.asks = True
    phone.connects("resume-successful")
    one_round_trip(phone)
    second = phone.tokens.token
    assert second != first
    # A count that the server has seen already is a replay.
    assert with_token(name, mechanism, first, count=used - 1).is_refused()
    phone.breaks()
    phone.tokens.token, phone.tokens.count = first, used
    phone.connects("resume-successful")
    phone.breaks()
    phone.tokens.token, phone.tokens.count = second, 0
    phone.connects("resume-successful")
    assert with_token(name, mechanism, first, count=100).is_refused()
    # Section 3.6: it gives its token back, and still logs in by it this once.
    phone.breaks()
    phone.tokens.gives_back = True
    phone.connects("resume-successful")
    one_round_trip(phone)
    assert phone.tokens.token is None
    assert with_token(name, mechanism, second, count=100).is_refused()
    # All the while it was one session, which has missed nothing.
    phone.heard.clear()
    romeo.says(f"{name}@{DOMAIN}", "Good night, good night")
    until("the last word", lambda: phone.heard == ["Good night, good night"])


def main():
    romeo = Session("romeo", "garden")
    romeo.connects()
    romeo.is_available()
    life_of_tokens("juliet", "HT-SHA-256-ENDP", romeo)
    life_of_tokens("nurse", "HT-SHA-256-NONE", romeo)
    print("done")


main()
