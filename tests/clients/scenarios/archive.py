"""The archive of a user (XEP-0313), as a client finds in it what it has missed."""

import asyncio
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

from slixmpp.exceptions import IqError
from stage import jid


async def _archive(client, **query):
    """The bodies in a client's archive, and the stanzas they stand in."""
    messages = [result["mam_result"]["forwarded"]["stanza"] async for result in client["xep_0313"].iterate(**query)]
    return [message["body"] for message in messages], messages


def _write(client, to, body, *children, **attributes):
    message = client.make_message(mto=jid(to), mbody=body, mtype="chat")
    for name, value in attributes.items():
        message[name] = value
    for child in children:
        message.append(ElementTree.fromstring(child))
    message.send()
    return message


async def messages_from_while_one_was_away_are_in_the_archive(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    _write(romeo, "juliet", "Art thou gone so?")
    _write(romeo, "juliet", "love, lord, ay, husband, friend!")
    await romeo.settle()
    juliet = await stage.online("juliet", "balcony")
    heard = [await juliet.hears("message", body=body) for body in ("Art thou gone so?", "love, lord, ay, husband, friend!")]
    ids = [message.xml.find("{urn:xmpp:sid:0}stanza-id").get("id") for message in heard]
    results = [result["mam_result"] async for result in juliet["xep_0313"].iterate()]
    assert [result["id"] for result in results] == ids, "the ids that live messages carry are those of the archive"
    for client in (romeo, juliet):
        bodies, messages = await _archive(client)
        assert bodies == ["Art thou gone so?", "love, lord, ay, husband, friend!"]
        assert all(message["from"] == romeo.boundjid for message in messages)


async def a_long_archive_is_read_page_by_page(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    expected = [str(number) for number in range(120)]
    for number in expected:
        _write(romeo, "juliet", number)
    await juliet.hears("message", body="119")
    for page in (7, 50, 500):
        bodies, _ = await _archive(juliet, rsm={"max": page})
        assert bodies == expected, bodies
    backwards, _ = await _archive(juliet, rsm={"max": 50}, reverse=True)
    assert backwards == expected[::-1], backwards
    metadata = (await juliet["xep_0313"].get_archive_metadata())["mam_metadata"]
    first = [result["mam_result"]["id"] async for result in juliet["xep_0313"].iterate(total=1)]
    assert [metadata["start"]["id"]] == first


async def messages_are_found_by_correspondent_and_time(stage):
    stage.account("romeo", "juliet", "nurse")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    nurse = await stage.online("nurse", "house")
    _write(romeo, "juliet", "Ah me!")
    await juliet.hears("message", body="Ah me!")
    _write(nurse, "juliet", "Madam!")
    await juliet.hears("message", body="Madam!")
    _write(juliet, "nurse", "I come, anon.")
    _write(juliet, "juliet", "A note")
    await juliet.hears("message", body="A note")
    assert (await _archive(juliet, with_jid=nurse.boundjid.bare))[0] == ["Madam!", "I come, anon."]
    assert (await _archive(juliet, with_jid=nurse.boundjid.full))[0] == ["Madam!"]
    assert (await _archive(juliet, with_jid=juliet.boundjid.bare))[0] == ["A note"]
    hour = timedelta(hours=1)
    now = datetime.now(timezone.utc)
    assert len((await _archive(juliet, start=now - hour, end=now + hour))[0]) == 4
    assert (await _archive(juliet, start=now + hour))[0] == []
    assert (await _archive(juliet, end=now - hour))[0] == []


async def nobody_reads_somebody_elses_archive(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    _write(juliet, "juliet", "My secret")
    await juliet.hears("message", body="My secret")
    for name in ("juliet", "nobody"):
        try:
            await romeo["xep_0313"].retrieve(jid=jid(name))
        except IqError as error:
            assert error.condition == "forbidden", error
        else:
            raise AssertionError("an archive was given away")


async def what_accompanies_conversations_is_kept_as_it_was_sent(stage):
    """Receipts, markers, corrections, reactions and ciphertexts need nothing of the server but to be left alone."""
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    kept = [
        ("", "<received xmlns='urn:xmpp:receipts' id='m1'/>"),
        ("", "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>"),
        ("corrected", "<replace xmlns='urn:xmpp:message-correct:0' id='m1'/>"),
        ("", "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>\N{WAVING HAND SIGN}</reaction></reactions>"),
        ("", "<encrypted xmlns='urn:xmpp:omemo:2'><payload>c2VjcmV0</payload></encrypted>"),
    ]
    passing = [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<no-store xmlns='urn:xmpp:hints'/>",
    ]
    for number, (body, child) in enumerate(kept):
        _write(romeo, "juliet", body, child, id=f"k{number}")
    for number, child in enumerate(passing):
        _write(romeo, "juliet", "", child, id=f"p{number}")
    for name in [f"k{number}" for number in range(len(kept))] + [f"p{number}" for number in range(len(passing))]:
        await juliet.hears("message", id=name)
    _, messages = await _archive(juliet)
    assert [message["id"] for message in messages] == [f"k{number}" for number in range(len(kept))]
    for message, (_, child) in zip(messages, kept):
        sent = ElementTree.fromstring(child)
        assert ElementTree.tostring(message.xml.find(sent.tag)) == ElementTree.tostring(sent), message


async def a_retracted_message_is_gone_from_both_archives(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    _write(romeo, "juliet", "With Rosaline?", id="wrong")
    await juliet.hears("message", body="With Rosaline?")
    _write(romeo, "juliet", "retracted", "<retract xmlns='urn:xmpp:message-retract:1' id='wrong'/>", id="r1")
    await juliet.hears("message", body="retracted")
    for client in (romeo, juliet):
        bodies, messages = await _archive(client)
        assert bodies == ["", "retracted"], bodies
        stone = messages[0].xml.find("{urn:xmpp:message-retract:1}retracted")
        assert stone.get("id") == "r1", messages[0]
    await asyncio.gather(romeo.leave(), juliet.leave())
