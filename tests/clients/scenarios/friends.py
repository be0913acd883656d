"""Rosters and presence (RFC 6121 sections 2 to 4)."""

from slixmpp.exceptions import IqError
from stage import DOMAIN, jid


def _item(client, name):
    return client.client_roster[jid(name)]


async def _subscription(client, name):
    """What the server says, not what the client believes."""
    request = client.Iq()
    request["type"] = "get"
    request.enable("roster")
    return (await request.send())["roster"]["items"].get(jid(name), {}).get("subscription")


async def two_users_add_each_other(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")

    romeo.send_presence(pto=jid("juliet"), ptype="subscribe")
    await romeo.hears("iq")
    assert await _subscription(romeo, "juliet") == "none"
    await juliet.hears("presence", type="subscribe", **{"from": jid("romeo")})
    juliet.send_presence(pto=jid("romeo"), ptype="subscribed")
    await romeo.hears("presence", type="subscribed", **{"from": jid("juliet")})
    await romeo.hears("presence", type="available", **{"from": jid("juliet", "balcony")})
    assert await _subscription(romeo, "juliet") == "to"
    assert await _subscription(juliet, "romeo") == "from"

    juliet.send_presence(pto=jid("romeo"), ptype="subscribe")
    await romeo.hears("presence", type="subscribe", **{"from": jid("juliet")})
    romeo.send_presence(pto=jid("juliet"), ptype="subscribed")
    await juliet.hears("presence", type="available", **{"from": jid("romeo", "garden")})
    assert await _subscription(romeo, "juliet") == "both"
    assert await _subscription(juliet, "romeo") == "both"


async def a_request_waits_for_who_is_offline(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    romeo.send_presence(pto=jid("juliet"), ptype="subscribe")
    await romeo.settle()
    for _ in range(2):
        # Until she answers it comes at every login.
        juliet = await stage.online("juliet", "balcony")
        await juliet.hears("presence", type="subscribe", **{"from": jid("romeo")})
        await juliet.leave()
    juliet = await stage.online("juliet", "balcony")
    juliet.send_presence(pto=jid("romeo"), ptype="unsubscribed")
    await romeo.hears("presence", type="unsubscribed", **{"from": jid("juliet")})
    await juliet.leave()
    juliet = await stage.online("juliet", "balcony")
    assert not [p for p in await juliet.has_heard("presence") if p["type"] == "subscribe"]


async def friends_see_each_other_come_and_go(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    juliet.send_presence(pshow="away", pstatus="I'll be back", ppriority=5)
    seen = await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "away"})
    assert (seen["status"], seen["priority"]) == ("I'll be back", 5)
    juliet.send_presence(pshow="dnd")
    await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "dnd"})
    juliet.send_presence(ptype="unavailable", pstatus="Good night")
    seen = await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "unavailable"})
    assert seen["status"] == "Good night"
    juliet.send_presence()
    await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "available"})
    # And when the connection just breaks.
    juliet.abort()
    await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "unavailable"})


async def who_comes_online_is_told_who_is_there(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    juliet.send_presence(pshow="chat")
    await juliet.settle()
    await romeo.leave()
    romeo = await stage.online("romeo", "elsewhere")
    await romeo.hears("presence", **{"from": jid("juliet", "home"), "type": "chat"})


async def strangers_see_nothing(stage):
    stage.account("romeo", "tybalt")
    romeo, tybalt = await stage.online("romeo", "garden"), await stage.online("tybalt", "street")
    tybalt.send_presence(pto=jid("romeo"), ptype="probe")
    romeo.send_presence(pshow="away")
    await romeo.settle()
    seen = [presence for presence in await tybalt.has_heard("presence") if presence["from"].user == "romeo"]
    assert all(presence["type"] in ("unsubscribed", "unavailable") for presence in seen), seen


async def an_unsubscribed_friend_sees_nothing_more(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    juliet.send_presence(pto=jid("romeo"), ptype="unsubscribed")
    await romeo.hears("presence", type="unsubscribed", **{"from": jid("juliet")})
    await romeo.hears("presence", type="unavailable", **{"from": jid("juliet", "home")})
    assert await _subscription(romeo, "juliet") == "from"
    juliet.send_presence(pshow="away")
    await juliet.settle()
    assert not await romeo.has_heard("presence")


async def a_removed_contact_is_gone_on_both_sides(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    await romeo.del_roster_item(jid("juliet"))
    await juliet.hears("presence", type="unsubscribed", **{"from": jid("romeo")})
    assert await _subscription(romeo, "juliet") is None
    assert await _subscription(juliet, "romeo") == "none"


async def names_and_groups_are_kept_and_pushed_to_every_client(stage):
    stage.account("romeo")
    garden, street = await stage.online("romeo", "garden"), await stage.online("romeo", "street")
    await garden.update_roster(jid("juliet"), name="Juliet & <love>", groups=["Capulets", "Ünïcode"])
    push = await street.hears("iq")
    assert push["roster"]["items"][jid("juliet")]["name"] == "Juliet & <love>"
    again = await stage.log_in("romeo", "again")
    await again.get_roster()
    assert sorted(_item(again, "juliet")["groups"]) == ["Capulets", "Ünïcode"]
    assert _item(again, "juliet")["name"] == "Juliet & <love>"


async def a_roster_that_is_known_is_not_sent_again(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    await romeo.update_roster(jid("juliet"), name="Juliet")
    request = romeo.Iq()
    request["type"] = "get"
    request["roster"]["ver"] = ""
    version = (await request.send())["roster"]["ver"]
    assert version

    again = await stage.log_in("romeo", "again")
    request = again.Iq()
    request["type"] = "get"
    request["roster"]["ver"] = version
    answer = await request.send()
    assert answer.xml.find("{jabber:iq:roster}query") is None, answer

    await romeo.update_roster(jid("nurse"), name="Nurse")
    push = await again.hears("iq")
    assert push["roster"]["ver"] not in ("", version)


async def a_contact_that_cannot_be_is_refused(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    for wrong in (f"<item jid='{jid('romeo')}' subscription='remove'/>", "<item jid='@'/>", ""):
        request = romeo.make_iq_set()
        from slixmpp.xmlstream import ET

        request.append(ET.fromstring(f"<query xmlns='jabber:iq:roster'>{wrong}</query>"))
        try:
            await request.send()
        except IqError as error:
            assert error.condition in ("bad-request", "item-not-found", "not-allowed", "jid-malformed"), error
        else:
            raise AssertionError(f"{wrong} was taken on {DOMAIN}")
