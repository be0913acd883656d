//! XMPP over HTTP requests (XEP-0124, XEP-0206): the client asks, and is answered when there is something to say.

mod body;
mod session;
mod window;

use super::Web;
use super::origin::Client;
use crate::net::carry;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use body::{Action, Condition, Created, Request, Wishes};
use parking_lot::Mutex;
use session::Session;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wire::xml::Limits;

/// The longest time a request is held, in seconds.
const LONGEST_WAIT: u64 = 60;
/// How long a client may have no request open.
const INACTIVITY: u64 = 60;
/// The longest pause that a client may ask for.
const LONGEST_PAUSE: u64 = 300;
/// How many requests may be held.
const MOST_HELD: u64 = 2;
/// The shortest pause between requests of a client that has none held.
const POLLING: u64 = 5;

/// All sessions, by their ids.
pub struct Sessions {
    table: Mutex<HashMap<String, Arc<Session>>>,
    most: usize,
}

impl Sessions {
    pub fn new(most: usize) -> Sessions {
        Sessions { table: Mutex::default(), most }
    }
}

/// `GET /http-bind`: a person has found the address.
pub async fn hint() -> Response {
    "This is where chat clients in browsers connect (BOSH, XEP-0124).\n".into_response()
}

/// `POST /http-bind`
pub async fn request(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !web.config.http.admits(headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok())) {
        return (StatusCode::FORBIDDEN, "pages of this origin may not connect here\n").into_response();
    }
    // Room for a wrapper around the largest stanza.
    let most = web.config.limits.stream.stanza.as_usize().saturating_add(4096);
    let limits = Limits::AFTER_AUTH.with_frame_bytes(most);
    let read = tokio::time::timeout(Duration::from_secs(30), to_bytes(body, most)).await;
    let request = match read {
        Ok(Ok(bytes)) => std::str::from_utf8(&bytes).ok().and_then(|text| Request::parse(text, &limits).ok()),
        Ok(Err(_)) => return xml(body::terminate(Condition::PolicyViolation)),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Some(mut request) = request else { return xml(body::terminate(Condition::BadRequest)) };
    let rid = request.rid;
    let session = request.sid.as_ref().map(|sid| web.bosh.table.lock().get(sid).cloned());
    let (session, mut answered) = match (session, &mut request.action) {
        (None, Action::Create(wishes)) => {
            let wishes = std::mem::take(wishes);
            match create(&web, client, rid, request.newkey, &wishes) {
                Some(session) => {
                    let answered = session.begin(rid, wishes.open()).await;
                    (session, answered)
                }
                None => return xml(body::terminate(Condition::PolicyViolation)),
            }
        }
        (Some(Some(session)), _) => {
            let answered = session.take(request).await;
            (session, answered)
        }
        _ => return xml(body::terminate(Condition::ItemNotFound)),
    };
    let text = match tokio::time::timeout(session.wait(), &mut answered).await {
        Ok(text) => text,
        Err(_) => {
            session.give_up(rid);
            // One that came before its turn has not been answered: its predecessors never came.
            match answered.try_recv() {
                Ok(text) => Ok(text),
                Err(_) => return xml(body::terminate(Condition::ItemNotFound)),
            }
        }
    };
    xml(text.unwrap_or_else(|_| body::terminate(Condition::ItemNotFound)))
}

fn create(web: &Arc<Web>, client: Client, rid: u64, newkey: Option<String>, wishes: &Wishes) -> Option<Arc<Session>> {
    let hold = wishes.hold.unwrap_or(1).min(MOST_HELD);
    let sid = web.shared.engine.clock.id().to_string();
    let created = Created {
        sid: sid.clone(),
        wait: wishes.wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT),
        hold,
        // Section 7.2: always one more than are held, so that the client can say something; two at least.
        requests: hold.saturating_add(1).max(2),
        inactivity: INACTIVITY,
        polling: POLLING,
        max_pause: LONGEST_PAUSE,
        acks: wishes.ack,
    };
    let (session, carrier) = Session::new(created, rid, newkey);
    {
        let mut table = web.bosh.table.lock();
        if table.len() >= web.bosh.most {
            return None;
        }
        table.insert(sid.clone(), session.clone());
    }
    let web = web.clone();
    tokio::spawn(async move {
        carry(web.shared.clone(), Box::new(carrier), client.address, client.encrypted).await;
        web.bosh.table.lock().remove(&sid);
    });
    Some(session)
}

fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
