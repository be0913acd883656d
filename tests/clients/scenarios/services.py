"""What clients ask a server for: who are you, what can you do, what time is it, keep this for me."""

from datetime import datetime, timedelta, timezone

from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET
from stage import DOMAIN, jid


async def the_server_says_what_it_can_do(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    info = (await romeo["xep_0030"].get_info(jid=DOMAIN))["disco_info"]
    assert ("server", "im") in {(category, kind) for category, kind, _, _ in info["identities"]}, info
    expected = {
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "jabber:iq:last",
        "jabber:iq:private",
        "jabber:iq:register",
        "jabber:iq:version",
        "urn:xmpp:ping",
        "urn:xmpp:time",
        "vcard-temp",
    }
    assert expected <= set(info["features"]), expected - set(info["features"])
    await romeo["xep_0030"].get_items(jid=DOMAIN)
    account = (await romeo["xep_0030"].get_info(jid=jid("romeo")))["disco_info"]
    assert ("account", "registered") in {(category, kind) for category, kind, _, _ in account["identities"]}, account


async def the_server_says_its_version_and_time(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    version = (await romeo["xep_0092"].get_version(DOMAIN))["software_version"]
    assert version["name"] == "Oriole" and version["version"], version
    # slixmpp would read its text with a second Z behind it.
    time = (await romeo["xep_0202"].get_entity_time(DOMAIN)).xml.find(".//{urn:xmpp:time}utc").text
    assert time.endswith("Z"), time
    assert abs(datetime.fromisoformat(time) - datetime.now(timezone.utc)) < timedelta(minutes=1), time
    assert (await romeo["xep_0012"].get_last_activity(DOMAIN))["last_activity"]["seconds"] >= 0
    await romeo["xep_0199"].send_ping(DOMAIN)
    await romeo["xep_0199"].send_ping(jid("romeo"))


async def clients_can_ask_each_other(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    juliet["xep_0092"].software_name = "Balcony"
    answer = await romeo["xep_0092"].get_version(jid("juliet", "home"))
    assert (answer["software_version"]["name"], answer["from"].full) == ("Balcony", jid("juliet", "home"))
    try:
        await romeo["xep_0092"].get_version(jid("juliet", "nowhere"))
    except IqError as error:
        assert error.condition == "service-unavailable"
    else:
        raise AssertionError("a client that is not there has answered")


async def friends_can_see_when_someone_left(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    juliet.send_presence(ptype="unavailable", pstatus="Good night")
    await romeo.hears("presence", type="unavailable", **{"from": jid("juliet", "home")})
    await juliet.leave()
    last = (await romeo["xep_0012"].get_last_activity(jid("juliet")))["last_activity"]
    assert 0 <= last["seconds"] < 120, last
    assert last["status"] == "Good night", last


async def strangers_cannot(stage):
    stage.account("juliet", "tybalt")
    tybalt = await stage.online("tybalt", "street")
    try:
        await tybalt["xep_0012"].get_last_activity(jid("juliet"))
    except IqError as error:
        assert error.condition == "forbidden", error
    else:
        raise AssertionError("a stranger learns when she was last seen")


async def private_data_are_kept_for_their_owner_alone(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    private = "<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'>{}</exodus></query>"
    request = romeo.make_iq_set()
    request.append(ET.fromstring(private.format("<defaultnick>Hamlet</defaultnick>")))
    await request.send()
    again = await stage.log_in("romeo", "again")
    request = again.make_iq_get()
    request.append(ET.fromstring(private.format("")))
    answer = await request.send()
    assert answer.xml.find(".//{exodus:prefs}defaultnick").text == "Hamlet", answer
    juliet = await stage.log_in("juliet")
    request = juliet.make_iq_get(ito=jid("romeo"))
    request.append(ET.fromstring(private.format("")))
    try:
        await request.send()
    except IqError as error:
        assert error.condition in ("forbidden", "service-unavailable"), error
    else:
        raise AssertionError("she reads his private data")


async def a_vcard_can_be_read_by_others(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    card = romeo["xep_0054"].make_vcard()
    card["FN"] = "Romeo Montague"
    card["NICKNAME"] = "Rømeo 🌹"
    await romeo["xep_0054"].publish_vcard(card)
    for reader in (romeo, juliet):
        read = await reader["xep_0054"].get_vcard(jid("romeo"), cached=False)
        assert read["vcard_temp"]["FN"] == "Romeo Montague", read
        assert read["vcard_temp"]["NICKNAME"] == ["Rømeo 🌹"], read


async def an_unknown_request_is_refused_not_ignored(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    for to in (None, DOMAIN, jid("romeo"), jid("nobody"), jid("nobody", "nowhere")):
        request = romeo.make_iq_get(ito=to)
        request.append(ET.fromstring("<unheard-of xmlns='urn:example:unheard-of'/>"))
        try:
            await request.send()
        except IqError as error:
            assert error.condition in ("service-unavailable", "feature-not-implemented"), (to, error)
        else:
            raise AssertionError(f"{to} has answered what cannot be asked")
