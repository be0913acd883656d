"""External components (XEP-0114)."""

from stage import jid

ECHO = "echo.capulet.example"


async def a_component_answers(stage):
    stage.account("romeo")
    echo = await stage.component(ECHO, "s3cret")
    assert echo is not None
    echo.add_event_handler("message", lambda message: message.reply(message["body"].upper()).send())
    romeo = await stage.online("romeo", "garden")
    romeo.send_message(mto=f"someone@{ECHO}/anywhere", mbody="o romeo, romeo", mtype="chat")
    heard = await romeo.hears("message", body="O ROMEO, ROMEO")
    assert heard["from"].full == f"someone@{ECHO}/anywhere"
    version = await romeo["xep_0092"].get_version(ECHO)
    assert version["from"].full == ECHO


async def a_component_reaches_users(stage):
    stage.account("romeo")
    echo = await stage.component(ECHO, "s3cret")
    romeo = await stage.online("romeo", "garden")
    echo.send_message(mto=jid("romeo"), mfrom=f"nurse@{ECHO}", mbody="My lord!", mtype="chat")
    assert (await romeo.hears("message", body="My lord!"))["from"].full == f"nurse@{ECHO}"
    # A contact behind a gateway.
    romeo.send_presence(pto=f"nurse@{ECHO}", ptype="subscribe")
    await echo.hears("presence", type="subscribe", to=f"nurse@{ECHO}")
    echo.send_presence(pto=jid("romeo"), pfrom=f"nurse@{ECHO}", ptype="subscribed")
    await romeo.hears("presence", type="subscribed", **{"from": f"nurse@{ECHO}"})
    echo.send_presence(pto=jid("romeo"), pfrom=f"nurse@{ECHO}/kitchen")
    await romeo.hears("presence", type="available", **{"from": f"nurse@{ECHO}/kitchen"})


async def a_wrong_secret_attaches_nothing(stage):
    assert await stage.component(ECHO, "guessed") is None
    assert await stage.component("unknown.capulet.example", "s3cret") is None


async def a_component_that_is_away_is_missed(stage):
    stage.account("romeo")
    romeo = await stage.online("romeo", "garden")
    romeo.send_message(mto=ECHO, mbody="Anyone?", mtype="chat")
    refused = await romeo.hears("message", type="error", **{"from": ECHO})
    assert refused["error"]["condition"] in ("service-unavailable", "remote-server-not-found", "recipient-unavailable")
