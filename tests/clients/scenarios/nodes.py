"""What clients publish: avatars, bookmarks, keys, and nodes of the publish-subscribe service (XEP-0060, XEP-0163)."""

from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from stage import DOMAIN, jid

PUBSUB = "http://jabber.org/protocol/pubsub"
SERVICE = f"pubsub.{DOMAIN}"
DEVICES = "eu.siacs.conversations.axolotl.devicelist"
BUNDLE = "eu.siacs.conversations.axolotl.bundles:31415"
BOOKMARKS = "urn:xmpp:bookmarks:1"


def _with_plugins(client):
    for plugin in ("xep_0004", "xep_0060", "xep_0084", "xep_0115", "xep_0163"):
        client.register_plugin(plugin)
    return client


def _options(client, **fields):
    """Publish-options with these fields of the configuration."""
    form = client["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value=f"{PUBSUB}#publish-options")
    for name, value in fields.items():
        form.add_field(var=f"pubsub#{name}", value=value)
    return form


def _element(tag, namespace, text="", **attributes):
    element = ET.Element(f"{{{namespace}}}{tag}", attributes)
    element.text = text
    return element


async def _ids(client, address, node):
    answer = await client["xep_0060"].get_items(address, node)
    return [item["id"] for item in answer["pubsub"]["items"]]


async def a_published_avatar_is_in_the_card_and_in_presence(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    _with_plugins(juliet)
    image = b"\x89PNG\r\n\x1a\n" + b"pixels" * 100
    avatars = juliet["xep_0084"]
    await avatars.publish_avatar(image)
    hashed = avatars.generate_id(image)
    await avatars.publish_avatar_metadata({"id": hashed, "type": "image/png", "bytes": str(len(image))})

    card = await romeo["xep_0054"].get_vcard(jid("juliet"))
    assert card["vcard_temp"]["PHOTO"]["BINVAL"] == image
    assert await _ids(_with_plugins(romeo), jid("juliet"), "urn:xmpp:avatar:metadata") == [hashed]
    await romeo.has_heard("presence")
    juliet.send_presence(pstatus="look at me")
    told = await romeo.hears("presence", status="look at me")
    assert told.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text == hashed


async def bookmarks_are_kept_for_their_owner_and_for_old_clients(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    for client in (_with_plugins(romeo), _with_plugins(juliet)):
        client.register_plugin("xep_0048")
    options = _options(juliet, persist_items="true", max_items="max", access_model="whitelist")
    for room in ("orchard@muc.example", "tomb@muc.example"):
        bookmark = _element("conference", BOOKMARKS, name=room, autojoin="true")
        await juliet["xep_0060"].publish(None, BOOKMARKS, id=room, payload=bookmark, options=options)
    assert await _ids(juliet, None, BOOKMARKS) == ["orchard@muc.example", "tomb@muc.example"]

    private = await juliet["xep_0048"].get_bookmarks(method="xep_0049")
    assert {str(room["jid"]) for room in private["private"]["bookmarks"]["conferences"]} == {
        "orchard@muc.example",
        "tomb@muc.example",
    }
    try:
        await _ids(romeo, jid("juliet"), BOOKMARKS)
        raise AssertionError("a contact reads bookmarks")
    except IqError as refusal:
        assert refusal.condition == "not-allowed", refusal


async def keys_are_published_for_everybody_and_replaced(stage):
    stage.account("romeo", "juliet")
    juliet, stranger = await stage.online("juliet"), await stage.online("romeo")
    nodes = _with_plugins(juliet)["xep_0060"]
    for device in ("27183", "31415"):
        devices = _element("list", "eu.siacs.conversations.axolotl")
        devices.append(_element("device", "eu.siacs.conversations.axolotl", id=device))
        open_to_all = _options(juliet, access_model="open")
        await nodes.publish(None, DEVICES, id="current", payload=devices, options=open_to_all)
    bundle = _element("bundle", "eu.siacs.conversations.axolotl", "keys")
    await nodes.publish(None, BUNDLE, id="current", payload=bundle, options=_options(juliet, access_model="open"))

    answer = await _with_plugins(stranger)["xep_0060"].get_items(jid("juliet"), DEVICES)
    [item] = answer["pubsub"]["items"]
    assert item["payload"][0].attrib == {"id": "31415"}
    assert await _ids(stranger, jid("juliet"), BUNDLE) == ["current"]

    try:
        closed = _options(juliet, access_model="whitelist")
        await nodes.publish(None, BUNDLE, id="current", payload=bundle, options=closed)
        raise AssertionError("what was published for all cannot be closed by publishing")
    except IqError as refusal:
        assert refusal.condition == "conflict", refusal


async def a_node_of_the_service_has_readers(stage):
    stage.account("romeo", "juliet")
    juliet, romeo = await stage.online("juliet"), await stage.online("romeo")
    nodes, readers = _with_plugins(juliet)["xep_0060"], _with_plugins(romeo)["xep_0060"]
    await nodes.create_node(SERVICE, "letters")
    await readers.subscribe(SERVICE, "letters")
    await nodes.publish(SERVICE, "letters", id="first", payload=_element("letter", "urn:x:letter", "Dear"))
    told = await romeo.hears("message", **{"from": SERVICE})
    assert told["pubsub_event"]["items"]["node"] == "letters"
    assert [item["id"] for item in told["pubsub_event"]["items"]] == ["first"]
    await nodes.delete_node(SERVICE, "letters")
    told = await romeo.hears("message", **{"from": SERVICE})
    assert told["pubsub_event"]["delete"]["node"] == "letters"


async def a_reader_has_a_digest(stage):
    stage.account("romeo", "juliet")
    juliet, romeo = await stage.online("juliet"), await stage.online("romeo")
    nodes, readers = _with_plugins(juliet)["xep_0060"], _with_plugins(romeo)["xep_0060"]
    await nodes.create_node(SERVICE, "diary")
    choice = romeo["xep_0004"].make_form(ftype="submit")
    choice.add_field(var="FORM_TYPE", ftype="hidden", value=f"{PUBSUB}#subscribe_options")
    for name, value in {"digest": "1", "digest_frequency": "3000"}.items():
        choice.add_field(var=f"pubsub#{name}", value=value)
    await readers.subscribe(SERVICE, "diary", options=choice)
    for page in ("first", "second"):
        await nodes.publish(SERVICE, "diary", id=page, payload=_element("page", "urn:x:diary", "Dear"))
    told = await romeo.hears("message", **{"from": SERVICE})
    assert [item["id"] for item in told["pubsub_event"]["items"]] == ["first", "second"]
