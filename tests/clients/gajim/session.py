"""nbxmpp, the library of Gajim: it logs in by SASL2, loses its connection, takes its stream up again, and reads its archive.

The server runs already; the environment says where. Prints "done"; whatever else happens is a failure.
"""

from nbxmpp.namespaces import Namespace

from stage import DOMAIN, Session, until


def main():
    juliet = f"juliet@{DOMAIN}"
    phone, desktop, romeo = Session("juliet", "phone"), Session("juliet", "desktop"), Session("romeo", "garden")
    for session in (phone, desktop, romeo):
        session.connects()
        assert session.client._sasl.is_sasl2(), "the library takes SASL2 where it is offered"
        session.asks("set", None, ("enable", Namespace.CARBONS))
        session.is_available()
        until("resumption can be had", lambda: session.client.resumeable)

    # XEP-0280: what one client sends and receives the other one sees.
    phone.says(f"romeo@{DOMAIN}", "My ears have not yet drunk a hundred words")
    until("the message", lambda: romeo.heard == ["My ears have not yet drunk a hundred words"])
    until("its copy", lambda: desktop.copies == [("sent", "My ears have not yet drunk a hundred words")])

    # XEP-0198: what is said while it is away the phone hears when it is back, in order and once.
    for night in range(3):
        phone.breaks()
        before = list(phone.heard)
        for number in range(10):
            romeo.says(juliet, f"{night}.{number}")
        romeo.asks("get", DOMAIN, ("ping", "urn:xmpp:ping"))
        assert phone.heard == before
        phone.connects("resume-successful")
        until("what was missed", lambda: len(phone.heard) >= 10 * (night + 1))
    expected = [f"{night}.{number}" for night in range(3) for number in range(10)]
    assert phone.heard == expected, phone.heard
    assert desktop.heard == expected, desktop.heard

    # XEP-0313: all of it is in the archive.
    assert desktop.reads_archive() == ["My ears have not yet drunk a hundred words", *expected], desktop.archived

    # RFC 6120 and XEP-0388: a wrong password lets nobody in.
    stranger = Session("juliet", "stranger", password="guessed")
    stranger.connects("disconnected")
    assert stranger.client.get_error()[1] == "not-authorized", stranger.client.get_error()
    print("done")


main()
