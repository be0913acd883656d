//! Accounts by in-band registration (XEP-0077): made before a play, removed after it.

use super::log::Log;
use super::session::Session;
use super::{Account, Target};
use crate::play::Stage;
use crate::xml::{CLIENT, Element};
use std::sync::Arc;
use tokio::time::Instant;

const REGISTER: &str = "jabber:iq:register";
const DATA: &str = "jabber:x:data";

/// Registers an account on a connection of its own.
pub async fn register(target: &Arc<Target>, account: &Account, log: &Log) -> Result<(), String> {
    let name = format!("register {}", account.user);
    let mut session = Session::new(&name, target.clone(), account.clone(), "register", log.clone());
    session.reach(Stage::Secured, None).await?;
    let plain = Element::new(REGISTER, "query")
        .child(Element::new(REGISTER, "username").text_child(&account.user))
        .child(Element::new(REGISTER, "password").text_child(&account.password));
    let mut outcome = ask(&mut session, "set", "reg-1", plain).await;
    if outcome.is_err() {
        let form = ask(&mut session, "get", "reg-2", Element::new(REGISTER, "query")).await?;
        let form = form.get(REGISTER, "query").and_then(|query| query.get(DATA, "x"));
        if let Some(form) = form {
            let query = Element::new(REGISTER, "query").child(filled(form, account));
            outcome = ask(&mut session, "set", "reg-3", query).await;
        }
    }
    session.disconnect().await;
    outcome.map(|_| ()).map_err(|what| format!("in-band registration: {what}"))
}

/// Removes an account over one of its sessions, which the server ends by it.
pub async fn unregister(session: &mut Session) -> Result<(), String> {
    session.reach(Stage::Connected, None).await?;
    session.inbox.clear();
    let remove = Element::new(REGISTER, "query").child(Element::new(REGISTER, "remove"));
    let outcome = ask(session, "set", "unreg-1", remove).await;
    session.drop_connection();
    outcome.map(|_| ())
}

/// The form of the server with name and password filled in and all else as it was proposed.
fn filled(form: &Element, account: &Account) -> Element {
    let mut submit = Element::new(DATA, "x").with("type", "submit");
    for field in form.elements().filter(|field| field.is(DATA, "field")) {
        let Some(var) = field.attr("var") else { continue };
        let proposed = field.get(DATA, "value").map(Element::text).unwrap_or_default();
        let value = match var {
            "username" => &account.user,
            "password" => &account.password,
            _ => &proposed,
        };
        let value = Element::new(DATA, "value").text_child(value);
        submit = submit.child(Element::new(DATA, "field").with("var", var).child(value));
    }
    submit
}

async fn ask(session: &mut Session, kind: &str, id: &str, payload: Element) -> Result<Element, String> {
    let iq = Element::new(CLIENT, "iq").with("type", kind).with("id", id);
    session.send(&iq.child(payload)).await?;
    let deadline = Instant::now() + session.target.patience();
    match session.take(deadline, |e| e.is(CLIENT, "iq") && e.attr("id") == Some(id)).await {
        Some(answer) if answer.attr("type") == Some("result") => Ok(answer),
        Some(answer) => {
            let error = answer.elements().find(|e| e.name == "error").and_then(|e| e.elements().next());
            Err(error.map_or_else(|| "refused".to_owned(), |e| format!("refused with {}", e.name)))
        }
        None => Err("no answer".to_owned()),
    }
}
