"""Messages: there and back, to several clients, to nobody, and to who comes later (RFC 6121 section 8, XEP-0160)."""

import asyncio
from datetime import datetime, timezone

from stage import DOMAIN, PATIENCE, address, jid


async def two_users_chat(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    romeo.send_message(mto=jid("juliet"), mbody="Shall I hear more?", mtype="chat")
    heard = await juliet.hears("message", body="Shall I hear more?")
    assert (heard["from"].full, heard["type"]) == (jid("romeo", "garden"), "chat")
    heard.reply("'Tis but thy name that is my enemy; ☃ < & 🌹").send()
    heard = await romeo.hears("message", body="'Tis but thy name that is my enemy; ☃ < & 🌹")
    assert heard["from"].full == jid("juliet", "balcony")


async def many_messages_arrive_in_order(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    for number in range(300):
        romeo.send_message(mto=jid("juliet"), mbody=str(number), mtype="chat")
    await romeo.settle()
    await juliet.hears("message", body="299")
    heard = [int(message["body"]) for message in await juliet.has_heard("message")]
    assert heard == list(range(299)), heard


async def messages_wait_for_who_is_offline(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    before = datetime.now(timezone.utc).replace(microsecond=0)
    for number in range(20):
        romeo.send_message(mto=jid("juliet"), mbody=f"letter {number}", mtype="chat")
    await romeo.settle()
    juliet = await stage.online("juliet", "balcony")
    await juliet.settle()
    letters = await juliet.has_heard("message")
    assert [letter["body"] for letter in letters] == [f"letter {number}" for number in range(20)]
    for letter in letters:
        assert before <= letter["delay"]["stamp"] <= datetime.now(timezone.utc), letter
        assert letter["delay"]["from"] == DOMAIN, letter
    # Once delivered they are not kept.
    await juliet.leave()
    juliet = await stage.online("juliet", "balcony")
    assert not await juliet.has_heard("message")


async def messages_wait_for_a_client_that_is_not_available(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    juliet = await stage.log_in("juliet", "balcony")
    romeo.send_message(mto=jid("juliet"), mbody="Art thou there?", mtype="chat")
    await romeo.settle()
    assert not await juliet.has_heard("message")
    juliet.send_presence()
    await juliet.hears("message", body="Art thou there?")


async def every_client_that_wants_messages_gets_them(stage):
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    balcony = await stage.online("juliet", "balcony", priority=1)
    chamber = await stage.online("juliet", "chamber", priority=1)
    shy = await stage.online("juliet", "shy", priority=-1)
    romeo.send_message(mto=jid("juliet"), mbody="to all of you", mtype="chat")
    await balcony.hears("message", body="to all of you")
    await chamber.hears("message", body="to all of you")
    romeo.send_message(mto=jid("juliet", "shy"), mbody="to you alone", mtype="chat")
    heard = await shy.hears("message")
    assert heard["body"] == "to you alone", heard
    assert not [m for m in await balcony.has_heard("message") + await chamber.has_heard("message") if m["body"] == "to you alone"]


async def with_a_negative_priority_messages_wait(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "shy", priority=-1)
    romeo.send_message(mto=jid("juliet"), mbody="later, then", mtype="chat")
    await romeo.settle()
    assert not await juliet.has_heard("message")
    juliet.send_presence(ppriority=0)
    heard = await juliet.hears("message", body="later, then")
    assert heard["delay"]["stamp"]


async def nobody_is_told_apart_from_somebody_who_is_not_there(stage):
    """RFC 6121 section 8.5.1: whoever writes to an account that does not exist is told so; the server is not a black hole."""
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    romeo.send_message(mto=jid("nobody"), mbody="Anyone?", mtype="chat")
    refused = await romeo.hears("message", type="error")
    assert (refused["error"]["condition"], refused["from"].bare) == ("service-unavailable", jid("nobody"))


async def a_client_cannot_write_in_another_name(stage):
    stage.account("romeo", "juliet")
    romeo, juliet = await stage.online("romeo", "garden"), await stage.online("juliet", "balcony")
    romeo.send_message(mto=jid("juliet"), mbody="It is the nurse", mtype="chat", mfrom=jid("nurse"))
    assert await romeo.ended == "invalid-from"
    assert not await juliet.has_heard("message")


async def a_client_goes_on_where_the_network_went_away(stage):
    """XEP-0198: the session waits for its client, and nothing is lost, doubled or out of order, however often it breaks."""
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    juliet = stage.client("juliet", "phone")
    juliet.register_plugin("xep_0198")
    enabled = asyncio.get_running_loop().create_future()
    juliet.add_event_handler("sm_enabled", lambda _: enabled.done() or enabled.set_result(True))
    await juliet.log_in()
    await asyncio.wait_for(enabled, PATIENCE)
    juliet.send_presence()
    await juliet.hears("presence", **{"from": juliet.boundjid.full})
    resumed = asyncio.Queue()
    juliet.add_event_handler("session_resumed", resumed.put_nowait)
    for number in range(300):
        romeo.send_message(mto=jid("juliet"), mbody=str(number), mtype="chat")
        if number % 100 == 50:
            await romeo.settle()
            juliet.ended = asyncio.get_running_loop().create_future()
            juliet.abort()
            await asyncio.wait_for(juliet.ended, PATIENCE)
            juliet.connect(*address("C2S"))
            await asyncio.wait_for(resumed.get(), PATIENCE)
    await romeo.settle()
    await juliet.settle()
    heard = [message["body"] for message in juliet.heard if message.name == "message"]
    assert heard == [str(number) for number in range(300)], heard


async def a_client_that_counts_misses_nothing(stage):
    """XEP-0198: what was on its way when the network went away comes to the next session."""
    stage.account("romeo", "juliet")
    romeo = await stage.online("romeo", "garden")
    juliet = stage.client("juliet", "phone")
    juliet.register_plugin("xep_0198", {"allow_resume": False})
    enabled = asyncio.get_running_loop().create_future()
    juliet.add_event_handler("sm_enabled", lambda _: enabled.done() or enabled.set_result(True))
    await juliet.log_in()
    await asyncio.wait_for(enabled, PATIENCE)
    juliet.send_presence()
    await juliet.hears("presence", **{"from": juliet.boundjid.full})
    heard = set()
    for number in range(200):
        romeo.send_message(mto=jid("juliet"), mbody=str(number), mtype="chat")
        if number == 100:
            await juliet.hears("message", body="50")
            heard |= {message["body"] for message in juliet.heard if message.name == "message"} | {"50"}
            juliet.abort()
    await romeo.settle()
    juliet = await stage.online("juliet", "another phone")
    while len(heard) < 200:
        message = await juliet.hears("message")
        heard.add(message["body"])
    assert heard == {str(number) for number in range(200)}
