"""Ways in: registering, every mechanism, STARTTLS and TLS from the first byte, and what does not let anyone in."""

from stage import PASSWORD, LoginFailed, jid

MECHANISMS = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]


async def a_client_registers_and_logs_in(stage):
    newcomer = stage.client("nurse")

    async def register(_):
        request = newcomer.Iq()
        request["type"] = "set"
        request["register"]["username"] = "nurse"
        request["register"]["password"] = PASSWORD
        await request.send()

    newcomer["xep_0077"].create_account = True
    newcomer.add_event_handler("register", register)
    await newcomer.log_in()
    assert newcomer.boundjid.bare == jid("nurse")
    assert jid("nurse") in stage.oriole("user", "list")


async def every_mechanism_lets_a_client_in(stage):
    stage.account("juliet")
    for mechanism in MECHANISMS:
        for listener in ("C2S", "C2S_TLS"):
            juliet = await stage.client("juliet", mechanism=mechanism).log_in(listener)
            assert juliet["feature_mechanisms"].mech.name == mechanism
            await juliet.settle()
            await juliet.leave()


async def left_alone_the_client_chooses_scram(stage):
    stage.account("juliet")
    juliet = await stage.log_in("juliet")
    assert juliet["feature_mechanisms"].mech.name.startswith("SCRAM-SHA-512")


async def a_wrong_password_lets_nobody_in(stage):
    stage.account("juliet")
    for mechanism in MECHANISMS:
        for name in ("juliet", "nobody"):
            try:
                await stage.log_in(name, password="guessed", mechanism=mechanism)
            except LoginFailed as refusal:
                assert str(refusal) == "not-authorized", refusal
            else:
                raise AssertionError(f"{name} came in with a wrong password by {mechanism}")


async def unusual_names_and_passwords_work(stage):
    for name, password in [("julié", "pässwörd ☃"), ("o.neil+x", "' \" < & >"), ("römeo.m", "x" * 200)]:
        stage.oriole("user", "add", jid(name), "--password-stdin", input=password)
        for mechanism in MECHANISMS:
            client = await stage.log_in(name, "Büro", password=password, mechanism=mechanism)
            assert client.boundjid.full == jid(name, "Büro"), client.boundjid


async def a_second_client_with_the_same_resource_takes_over(stage):
    stage.account("juliet")
    first = await stage.log_in("juliet", "balcony")
    second = await stage.log_in("juliet", "balcony")
    assert await first.ended == "conflict"
    await second.settle()


async def without_a_resource_the_server_chooses_one(stage):
    stage.account("juliet")
    clients = [await stage.log_in("juliet") for _ in range(3)]
    assert len({client.boundjid.full for client in clients}) == 3
    assert all(client.boundjid.resource for client in clients)
