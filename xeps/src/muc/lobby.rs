//! The address of the service itself: discovery (XEP-0045 sections 6.1 to 6.3), the search for rooms (XEP-0433) and unique room
//! names (XEP-0307).

use super::creation::Shared;
use super::ns;
use super::operators::{self, Task};
use super::records::{self, PUBLIC, TEMPORARY};
use super::search::{self, Ask};
use crate::adhoc::{self, Call};
use crate::context::Cx;
use crate::feature::{Halt, Outcome};
use crate::info::Info;
use crate::rsm;
use crate::service::Resident;
use crate::store::{Batch, Store, StoreError};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::Arc;
use wire::jid::BareJid;
use wire::stanza::{Condition, Kind, Stanza};
use wire::xml::Element;

/// Rooms of a page at most.
const PAGE: usize = 500;
/// Records that are read at once.
const CHUNK: usize = 1000;

/// The resident of the service's own address.
pub struct Lobby {
    domain: BareJid,
    shared: Arc<Shared>,
}

impl Lobby {
    pub fn new(domain: BareJid, shared: Arc<Shared>) -> Lobby {
        Lobby { domain, shared }
    }

    /// Removes the temporary rooms to which nobody has come back after a restart.
    async fn sweep(&self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        let mut after = None::<String>;
        loop {
            let chunk = cx.store.list(self.domain.as_str(), TEMPORARY, after.as_deref(), CHUNK).await?;
            let last = chunk.len() < CHUNK;
            after = chunk.last().map(|(local, _)| local.clone());
            for (local, _) in chunk {
                match BareJid::from_parts(Some(&local), self.domain.as_str()) {
                    Ok(room) if !self.shared.is_awake(&local) => {
                        let position = cx.store.forget(room.as_str()).await?;
                        cx.written = cx.written.max(position);
                        let mut batch = Batch::new();
                        records::delete_room(&mut batch, &room);
                        cx.commit(batch).await?;
                        self.shared.gone();
                    }
                    _ => {}
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    fn info(&self) -> Element {
        let mut info = Info::default().identity("conference", "text", Some(&self.shared.config.title));
        for feature in super::ABOUT.server_features {
            info.add_feature(feature);
        }
        info.to_element(None)
    }

    fn unique(&self, cx: &Cx<'_>) -> Result<Element, Halt> {
        let name = BareJid::from_parts(Some(&cx.clock.id()), self.domain.as_str());
        let name = name.map_err(|_| Condition::InternalServerError)?;
        Ok(Element::new("unique", ns::UNIQUE).with_text(name.local().unwrap_or_default()))
    }

    async fn search(&self, cx: &Cx<'_>, stanza: &Stanza, search: &Element) -> Result<Element, Halt> {
        let Ask::Rooms(query, request) = Ask::parse(search)? else { return Ok(search::form()) };
        let user = stanza.from.as_ref().ok_or(Condition::BadRequest)?.to_bare();
        self.shared.searches.take(user, cx.clock.now()).map_err(search::too_often)?;
        Ok(search::page(cx.store, &self.shared, self.domain.as_str(), &query, &request).await?)
    }

    async fn items(&self, cx: &Cx<'_>, query: &Element) -> Result<Element, Halt> {
        let request = rsm::Request::parse(query)?;
        if request.index.is_some() {
            return Err(Condition::FeatureNotImplemented.into());
        }
        let asked = query.child("set", rsm::NS).is_some();
        let max = request.max.unwrap_or(PAGE).min(PAGE);
        let page = match &request.before {
            Some(before) => last_before(cx.store, self.domain.as_str(), before, max).await?,
            None => first_after(cx.store, self.domain.as_str(), request.after.as_deref(), max).await?,
        };
        let mut items = Element::new("query", ns::ITEMS);
        for (local, name) in &page.rooms {
            let address = BareJid::from_parts(Some(local), self.domain.as_str());
            if let Ok(address) = address {
                let name = if name.is_empty() { local } else { name };
                let item = Element::new("item", ns::ITEMS).with_attr("jid", address.as_str()).with_attr("name", name);
                items.push(item);
            }
        }
        if asked || page.more {
            let ends = page.rooms.first().zip(page.rooms.last());
            let ends = ends.map(|((first, _), (last, _))| (first.clone(), last.clone()));
            items.push(rsm::Response { ends, index: None, count: page.count }.to_element());
        }
        Ok(items)
    }
}

#[async_trait]
impl Resident for Lobby {
    async fn receive(&mut self, cx: &mut Cx<'_>, stanza: Stanza) -> Outcome {
        if !stanza.is_request() {
            return match stanza.kind {
                Kind::Message(_) if !stanza.is_error() => Err(Condition::ServiceUnavailable.into()),
                _ => Ok(()),
            };
        }
        if stanza.to.as_ref().is_some_and(|to| to.is_full()) {
            return Err(Condition::ServiceUnavailable.into());
        }
        if self.shared.may_sweep(cx.clock.now()) {
            self.sweep(cx).await?;
        }
        let child = stanza.request().ok_or(Condition::BadRequest)?;
        let get = stanza.kind == wire::stanza::IqType::Get.into();
        let query = child.element().ok_or(Condition::BadRequest)?;
        let operator = stanza.from.as_ref().is_some_and(|from| operators::is_operator(&self.shared, from));
        let task = query.attr("node").and_then(Task::of);
        let answer = match (child.ns, child.name) {
            (ns::ITEMS, "query") if get && query.attr("node") == Some(adhoc::NS) => {
                let own = Task::ALL.into_iter().filter(|_| operator).map(|task| (task.node(), task.name()));
                Some(adhoc::items(self.domain.as_str(), own))
            }
            (ns::INFO, "query") if get && query.attr("node") == Some(adhoc::NS) => Some(adhoc::list_info()),
            // XEP-0050 section 2.2: a command that is not for the asker is not told of.
            (ns::INFO, "query") if get && task.is_some() && !operator => return Err(Condition::Forbidden.into()),
            (ns::INFO, "query") if get && task.is_some() => task.map(|task| adhoc::info(task.node(), task.name())),
            (adhoc::NS, "command") if !get => {
                let call = Call::read(&query)?;
                if !operator {
                    return Err(Condition::Forbidden.into());
                }
                Some(operators::run(cx, &self.domain, &call).await?)
            }
            (ns::INFO | ns::ITEMS, "query") if get && query.attr("node").is_some() => {
                return Err(Condition::ItemNotFound.into());
            }
            (ns::INFO, "query") if get => Some(self.info()),
            (ns::ITEMS, "query") if get => Some(self.items(cx, &query).await?),
            (ns::SEARCH, "search") if get => Some(self.search(cx, &stanza, &query).await?),
            (ns::UNIQUE, "unique") if get => Some(self.unique(cx)?),
            (ns::PING, "ping") if get => None,
            _ => return Err(Condition::ServiceUnavailable.into()),
        };
        cx.route(stanza.result(answer.as_ref()));
        Ok(())
    }

    fn is_idle(&self) -> bool {
        true
    }
}

/// Rooms by localpart with their names.
struct Page {
    rooms: Vec<(String, String)>,
    more: bool,
    /// How many there are altogether, where it was counted anyway.
    count: Option<u64>,
}

async fn first_after(store: &dyn Store, domain: &str, after: Option<&str>, max: usize) -> Result<Page, StoreError> {
    if max == 0 {
        let all = last_before(store, domain, "", 0).await?;
        return Ok(Page { rooms: Vec::new(), more: false, ..all });
    }
    let mut found = store.list(domain, PUBLIC, after, max.saturating_add(1)).await?;
    let more = found.len() > max;
    found.truncate(max);
    let count = (after.is_none() && !more).then_some(found.len() as u64);
    let rooms = found.into_iter().map(room).collect::<Result<_, _>>()?;
    Ok(Page { rooms, more, count })
}

/// Going backwards means walking all the way, since the store lists forwards only. An empty `before` is the end of the list.
async fn last_before(store: &dyn Store, domain: &str, before: &str, max: usize) -> Result<Page, StoreError> {
    let (mut window, mut seen, mut after) = (VecDeque::new(), 0_u64, None::<String>);
    loop {
        let chunk = store.list(domain, PUBLIC, after.as_deref(), CHUNK).await?;
        let full = chunk.len() == CHUNK;
        after = chunk.last().map(|(name, _)| name.clone());
        for (name, record) in chunk {
            if !before.is_empty() && name.as_str() >= before {
                return Ok(Page { rooms: window.into(), more: true, count: None });
            }
            seen = seen.saturating_add(1);
            window.push_back(room((name, record))?);
            if window.len() > max {
                window.pop_front();
            }
        }
        if !full {
            return Ok(Page { rooms: window.into(), more: seen > max as u64, count: Some(seen) });
        }
    }
}

fn room((local, record): (String, crate::store::Record)) -> Result<(String, String), StoreError> {
    Ok((local, records::decode_listing(&record.value)?.name))
}
