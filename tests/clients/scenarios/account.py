"""What users do with their own account (XEP-0077)."""

import asyncio

from stage import PATIENCE, LoginFailed, jid


async def a_user_changes_the_password(stage):
    stage.account("juliet")
    juliet = await stage.log_in("juliet", "balcony")
    await juliet["xep_0077"].change_password("a rose by any other name")
    await juliet.settle()
    await juliet.leave()
    for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-1", "PLAIN"):
        await stage.log_in("juliet", password="a rose by any other name", mechanism=mechanism)
        try:
            await stage.log_in("juliet", mechanism=mechanism)
        except LoginFailed as refusal:
            assert str(refusal) == "not-authorized"
        else:
            raise AssertionError(f"the old password still works by {mechanism}")


async def a_user_removes_the_account(stage):
    romeo, juliet = await stage.friends("romeo", "juliet")
    other = await stage.online("juliet", "other")
    # The answer may be lost with the stream that ends: what counts is what is left.
    juliet["xep_0077"].cancel_registration(timeout=PATIENCE).add_done_callback(lambda future: future.exception())
    await asyncio.wait_for(asyncio.gather(juliet.ended, other.ended), PATIENCE)
    await romeo.hears("presence", type="unavailable", **{"from": jid("juliet", "home")})
    await romeo.hears("presence", type="unsubscribed", **{"from": jid("juliet")})
    assert jid("juliet") not in stage.oriole("user", "list")
    try:
        await stage.log_in("juliet")
    except LoginFailed as refusal:
        assert str(refusal) == "not-authorized"
    else:
        raise AssertionError("an account that was removed lets its user in")
    romeo.send_message(mto=jid("juliet"), mbody="O Juliet", mtype="chat")
    await romeo.hears("message", type="error", **{"from": jid("juliet")})
    # Whoever takes the name afterwards finds nothing of hers.
    stage.account("juliet")
    juliet = await stage.online("juliet", "new")
    assert list(juliet.client_roster.keys()) in ([], [jid("juliet")]), list(juliet.client_roster.keys())
    assert not await juliet.has_heard("message")
