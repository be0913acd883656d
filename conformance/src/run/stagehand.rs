//! Work behind the scenes: friendships before a play, tidying after it, accounts by XEP-0133.

use crate::net::{Account, Log, Session, Target};
use crate::play::Stage;
use crate::xml::{CLIENT, Element};
use std::sync::Arc;
use tokio::time::Instant;

const ROSTER: &str = "jabber:iq:roster";
const COMMANDS: &str = "http://jabber.org/protocol/commands";
const DATA: &str = "jabber:x:data";
const ADMIN: &str = "http://jabber.org/protocol/admin";

/// Subscribes two accounts to each other, with sessions that are gone afterwards.
pub async fn befriend(target: &Arc<Target>, a: &Account, b: &Account, log: &Log) -> Result<(), String> {
    let mut first = Session::new("friends 1", target.clone(), a.clone(), "friends", log.clone());
    let mut second = Session::new("friends 2", target.clone(), b.clone(), "friends", log.clone());
    first.reach(Stage::Available, None).await?;
    second.reach(Stage::Available, None).await?;
    // Only who has asked for the roster is told of subscriptions (RFC 6121 section 2.2).
    ask(&mut first, "get", None, Element::new(ROSTER, "query")).await?;
    ask(&mut second, "get", None, Element::new(ROSTER, "query")).await?;
    subscribe(&mut first, &mut second).await?;
    subscribe(&mut second, &mut first).await?;
    first.disconnect().await;
    second.disconnect().await;
    Ok(())
}

async fn subscribe(from: &mut Session, to: &mut Session) -> Result<(), String> {
    let presence =
        |to: &Session, kind: &str| Element::new(CLIENT, "presence").with("to", &to.account.bare()).with("type", kind);
    from.send(&presence(to, "subscribe")).await?;
    expect_presence(to, from, "subscribe").await?;
    to.send(&presence(from, "subscribed")).await?;
    expect_presence(from, to, "subscribed").await
}

async fn expect_presence(at: &mut Session, from: &Session, kind: &str) -> Result<(), String> {
    let deadline = Instant::now() + at.target.patience();
    let sender = from.account.bare();
    let found = at
        .take(deadline, |e| {
            let by = e.attr("from").and_then(|from| from.split('/').next());
            e.is(CLIENT, "presence") && e.attr("type") == Some(kind) && by == Some(sender.as_str())
        })
        .await;
    found.map(|_| ()).ok_or_else(|| format!("making friends: no presence of type '{kind}' came"))
}

/// Removes what a play may have left in an account that stays: the roster and what was stored offline.
pub async fn empty_account(session: &mut Session) {
    if session.reach(Stage::Available, None).await.is_err() {
        return;
    }
    let Ok(roster) = ask(session, "get", None, Element::new(ROSTER, "query")).await else { return };
    let items: Vec<String> = roster
        .get(ROSTER, "query")
        .map(|query| query.elements().filter_map(|item| item.attr("jid")).map(str::to_owned).collect())
        .unwrap_or_default();
    for jid in items {
        let item = Element::new(ROSTER, "item").with("jid", &jid).with("subscription", "remove");
        let _ = ask(session, "set", None, Element::new(ROSTER, "query").child(item)).await;
    }
    let unblock = Element::new("urn:xmpp:blocking", "unblock");
    let _ = ask(session, "set", None, unblock).await;
    session.disconnect().await;
}

pub async fn add_user(target: &Arc<Target>, admin: &Account, new: &Account, log: &Log) -> Result<(), String> {
    let fields =
        [("accountjid", new.bare()), ("password", new.password.clone()), ("password-verify", new.password.clone())];
    command(target, admin, "add-user", &fields, log).await
}

pub async fn delete_user(target: &Arc<Target>, admin: &Account, user: &Account, log: &Log) -> Result<(), String> {
    command(target, admin, "delete-user", &[("accountjids", user.bare())], log).await
}

/// Executes an administrator's command and submits its form.
async fn command(
    target: &Arc<Target>,
    admin: &Account,
    name: &str,
    fields: &[(&str, String)],
    log: &Log,
) -> Result<(), String> {
    let mut session = Session::new("admin", target.clone(), admin.clone(), &super::accounts::token(), log.clone());
    session.reach(Stage::Connected, None).await.map_err(|what| format!("administrator: {what}"))?;
    let node = format!("{ADMIN}#{name}");
    let domain = target.domain.clone();
    let execute = Element::new(COMMANDS, "command").with("node", &node).with("action", "execute");
    let form = ask(&mut session, "set", Some(&domain), execute).await?;
    let id = form.get(COMMANDS, "command").and_then(|c| c.attr("sessionid")).unwrap_or_default().to_owned();
    let value = |text: &str| Element::new(DATA, "value").text_child(text);
    let mut submit = Element::new(DATA, "x")
        .with("type", "submit")
        .child(Element::new(DATA, "field").with("var", "FORM_TYPE").with("type", "hidden").child(value(ADMIN)));
    for (var, text) in fields {
        submit = submit.child(Element::new(DATA, "field").with("var", var).child(value(text)));
    }
    let complete = Element::new(COMMANDS, "command").with("node", &node).with("sessionid", &id).child(submit);
    let outcome = ask(&mut session, "set", Some(&domain), complete).await.map(|_| ());
    session.disconnect().await;
    outcome.map_err(|what| format!("{name}: {what}"))
}

/// Sends an IQ and returns its result.
pub async fn ask(session: &mut Session, kind: &str, to: Option<&str>, payload: Element) -> Result<Element, String> {
    let id = format!("ask-{}", super::accounts::token());
    let mut iq = Element::new(CLIENT, "iq").with("type", kind).with("id", &id).child(payload);
    if let Some(to) = to {
        iq.set("to", to);
    }
    session.send(&iq).await?;
    let deadline = Instant::now() + session.target.timeout;
    match session.take(deadline, |e| e.is(CLIENT, "iq") && e.attr("id") == Some(id.as_str())).await {
        Some(answer) if answer.attr("type") == Some("result") => Ok(answer),
        Some(_) => Err("refused".to_owned()),
        None => Err("no answer".to_owned()),
    }
}
