//! The search for rooms (XEP-0433): over the listed rooms of the service, by words, in order of address or of size. Nothing is
//! kept between two pages; a page is found again by what its ends are called.

use super::creation::Shared;
use super::listing::Listing;
use super::ns;
use super::records::{self, PUBLIC};
use crate::form::{self, Field, Form, FormType};
use crate::rsm;
use crate::store::{Key, Store, StoreError};
use std::time::Duration;
use wire::jid::BareJid;
use wire::stanza::{Condition, ErrorType, StanzaError};
use wire::xml::Element;

/// Results of one page at most.
const PAGE: usize = 100;
/// Records that are read at once.
const CHUNK: usize = 1000;
/// Words of one search.
const WORDS: usize = 16;

const TYPE: &str = "xep-0045";

/// What is asked of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Which fields there are (section 4.2.1).
    Form,
    Rooms(Query, rsm::Request),
}

/// Which rooms are wanted, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// In lower case; all of them are found in a room. Empty: all rooms.
    words: Vec<String>,
    in_name: bool,
    in_description: bool,
    in_address: bool,
    min_users: u32,
    /// Rooms are among the types of service that are wanted.
    rooms: bool,
    order: Order,
}

/// Table 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Address,
    /// The fullest first.
    Users,
}

const ORDERS: [(Order, &str, &str); 2] = [
    (Order::Users, "{urn:xmpp:channel-search:0:order}nusers", "Number of occupants"),
    (Order::Address, "{urn:xmpp:channel-search:0:order}address", "Address"),
];

impl Ask {
    /// Reads a `<search/>`. The errors are those of section 4.2.2.
    pub fn parse(search: &Element) -> Result<Ask, StanzaError> {
        let Some(x) = search.child("x", form::NS) else { return Ok(Ask::Form) };
        let form = Form::parse(x).filter(|form| form.kind == FormType::Submit).ok_or(Condition::BadRequest)?;
        if form.form_type().is_some_and(|kind| kind != ns::SEARCH_FORM) {
            return Err(Condition::BadRequest.into());
        }
        let request = rsm::Request::parse(search)?;
        if request.index.is_some() {
            return Err(Condition::FeatureNotImplemented.into());
        }
        Ok(Ask::Rooms(Query::parse(&form)?, request))
    }
}

impl Query {
    fn parse(form: &Form) -> Result<Query, StanzaError> {
        let all = flag(form, "all", false)?;
        let words: Option<Vec<String>> =
            form.value("q").map(|text| text.split_whitespace().take(WORDS).map(str::to_lowercase).collect());
        let words = match (all, words) {
            (true, Some(words)) if !words.is_empty() => return Err(conflict()),
            (true, _) => Vec::new(),
            (false, None) => return Err(refusal(Condition::BadRequest, ErrorType::Cancel, "no-search-conditions")),
            (false, Some(words)) if words.is_empty() => {
                let error = refusal(Condition::BadRequest, ErrorType::Modify, "invalid-search-terms");
                return Err(error.with_text("There has to be a word to search for."));
            }
            (false, Some(words)) => words,
        };
        let order = match form.value("key") {
            None => Order::Users,
            Some(key) => ORDERS
                .into_iter()
                .find(|(_, value, _)| *value == key)
                .map(|(order, _, _)| order)
                .ok_or_else(|| refusal(Condition::FeatureNotImplemented, ErrorType::Modify, "invalid-sort-key"))?,
        };
        let types = form.values("types");
        Ok(Query {
            words,
            in_name: flag(form, "sinname", true)?,
            in_description: flag(form, "sindescription", true)?,
            // The table of the specification and its examples have different names.
            in_address: flag(form, "sinaddress", true)? && flag(form, "sinaddr", true)?,
            min_users: match form.value("min_users").map(str::trim) {
                None | Some("") => 0,
                Some(number) => number.parse().map_err(|_| Condition::BadRequest)?,
            },
            rooms: types.is_empty() || types.iter().any(|kind| kind == TYPE),
            order,
        })
    }

    /// Whether a room is wanted.
    fn takes(&self, address: &BareJid, listing: &Listing, users: u32) -> bool {
        let lower = |wanted: bool, text: &str| if wanted { text.to_lowercase() } else { String::new() };
        let fields = [
            lower(self.in_name, &listing.name),
            lower(self.in_description, &listing.description),
            lower(self.in_address, address.as_str()),
        ];
        let has = |word: &String| fields.iter().any(|field| field.contains(word.as_str()));
        self.rooms && users >= self.min_users && self.words.iter().all(has)
    }
}

/// The form with its defaults (section 4.2.1).
pub fn form() -> Element {
    let boolean = |var: &str, label: &str, on: bool| {
        Field::new(var).kind("boolean").label(label).value(if on { "true" } else { "false" })
    };
    let mut types = Field::new("types").kind("list-multi").label("Types of service").value(TYPE);
    types.options.push((Some("Multi-User Chat (XEP-0045)".to_owned()), TYPE.to_owned()));
    let mut key = Field::new("key").kind("list-single").label("Order");
    key.options = ORDERS.map(|(_, value, label)| (Some(label.to_owned()), value.to_owned())).to_vec();
    key.values.extend(ORDERS.first().map(|(_, value, _)| (*value).to_owned()));
    let form = Form::new(FormType::Form, ns::SEARCH_FORM)
        .field(Field::new("q").kind("text-single").label("Search for"))
        .field(boolean("all", "All rooms, whatever is searched for", false))
        .field(boolean("sinname", "Search in the name", true))
        .field(boolean("sindescription", "Search in the description", true))
        .field(boolean("sinaddress", "Search in the address", true))
        .field(Field::new("min_users").kind("text-single").label("Occupants at least").value("0"))
        .field(types)
        .field(key);
    Element::new("search", ns::SEARCH).with_child(form.to_element())
}

/// A page of the rooms that are wanted.
pub async fn page(
    store: &dyn Store,
    shared: &Shared,
    domain: &str,
    query: &Query,
    request: &rsm::Request,
) -> Result<Element, StoreError> {
    let max = request.max.unwrap_or(PAGE).min(PAGE);
    let found = find(store, shared, domain, query, request, max).await?;
    let mut result = Element::new("result", ns::SEARCH);
    for place in &found.page {
        let local = place.local.as_str();
        let listing = store.get(Key::new(domain, PUBLIC, local)).await?;
        let listing = listing.map(|record| records::decode_listing(&record.value)).transpose()?;
        if let (Ok(address), Some(listing)) = (BareJid::from_parts(Some(local), domain), listing) {
            result.push(item(&address, &listing, place.users));
        }
    }
    let ends = found.page.first().zip(found.page.last()).map(|(first, last)| (first.name(), last.name()));
    result.push(rsm::Response { ends, index: None, count: found.count }.to_element());
    Ok(result)
}

/// Section 4.2.2.4.
pub fn too_often(again: Duration) -> StanzaError {
    let seconds = again.as_secs().max(1).to_string();
    let limit = Element::new("rate-limit", ns::SEARCH_ERROR).with_attr("retry-after", seconds);
    StanzaError::new(Condition::ResourceConstraint).with_extra(limit)
}

/// The place of a room in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// What is sorted by before the address: nothing, or how many occupants there are not.
    rank: u32,
    local: String,
    users: u32,
}

impl Place {
    fn new(order: Order, local: String, users: u32) -> Place {
        let rank = match order {
            Order::Address => 0,
            Order::Users => u32::MAX - users,
        };
        Place { rank, local, users }
    }

    /// As a searcher calls it to get the next page.
    fn name(&self) -> String {
        format!("{}/{}", self.rank, self.local)
    }

    /// What is compared; None for a name that is none.
    fn key(name: &str) -> Option<(u32, &str)> {
        let (rank, local) = name.split_once('/')?;
        Some((rank.parse().ok()?, local))
    }
}

struct Found {
    page: Vec<Place>,
    /// How many there are altogether, where all were looked at.
    count: Option<u64>,
}

async fn find(
    store: &dyn Store,
    shared: &Shared,
    domain: &str,
    query: &Query,
    request: &rsm::Request,
    max: usize,
) -> Result<Found, StoreError> {
    let after = request.after.as_deref().and_then(Place::key);
    // By address, a page further on is where the store finds it; else all rooms have to be looked at.
    let forward = query.order == Order::Address && request.before.is_none() && request.max != Some(0);
    let mut from = after.filter(|_| forward).map(|(_, local)| local.to_owned());
    let mut all: Vec<Place> = Vec::new();
    let complete = loop {
        let chunk = store.list(domain, PUBLIC, from.as_deref(), CHUNK).await?;
        let last = chunk.len() < CHUNK;
        from = chunk.last().map(|(local, _)| local.clone());
        for (local, record) in chunk {
            let (users, listing) = (shared.occupants(&local), records::decode_listing(&record.value)?);
            if BareJid::from_parts(Some(&local), domain).is_ok_and(|address| query.takes(&address, &listing, users)) {
                all.push(Place::new(query.order, local, users));
            }
        }
        if last {
            break true;
        }
        if forward && all.len() > max {
            break false;
        }
    };
    if forward {
        let count = (complete && after.is_none()).then_some(all.len() as u64);
        all.truncate(max);
        return Ok(Found { page: all, count });
    }
    all.sort_unstable();
    let (count, key) = (Some(all.len() as u64), |place: &Place| (place.rank, place.local.clone()));
    match (request.before.as_deref(), after) {
        (Some(before), _) => {
            if let Some((rank, local)) = Place::key(before) {
                all.retain(|place| key(place) < (rank, local.to_owned()));
            }
            all.drain(..all.len().saturating_sub(max));
        }
        (None, Some((rank, local))) => all.retain(|place| key(place) > (rank, local.to_owned())),
        (None, None) => {}
    }
    all.truncate(max);
    Ok(Found { page: all, count })
}

/// Section 6.2.
fn item(address: &BareJid, listing: &Listing, users: u32) -> Element {
    let child = |name: &str, text: &str| Element::new(name, ns::SEARCH).with_text(text);
    let some = |name: &str, text: &str| (!text.is_empty()).then(|| child(name, text));
    let name = if listing.name.is_empty() { address.local().unwrap_or_default() } else { &listing.name };
    let anonymity =
        if listing.non_anonymous { "{urn:xmpp:channel-search:0:anonymity}none" } else { "muc_semianonymous" };
    Element::new("item", ns::SEARCH)
        .with_attr("address", address.as_str())
        .with_child(child("name", name))
        .maybe_child(some("description", &listing.description))
        .maybe_child(some("language", &listing.language))
        .with_child(child("nusers", &users.to_string()))
        .with_child(child("service-type", TYPE))
        .with_child(child("is-open", if listing.open { "true" } else { "false" }))
        .with_child(child("anonymity-mode", anonymity))
}

fn flag(form: &Form, var: &str, default: bool) -> Result<bool, StanzaError> {
    match form.value(var).map(str::trim) {
        None | Some("") => Ok(default),
        Some("1" | "true") => Ok(true),
        Some("0" | "false") => Ok(false),
        Some(_) => Err(Condition::BadRequest.into()),
    }
}

fn refusal(condition: Condition, kind: ErrorType, why: &str) -> StanzaError {
    StanzaError::new(condition).with_type(kind).with_extra(Element::new(why, ns::SEARCH_ERROR))
}

/// Section 4.2.2.6.
fn conflict() -> StanzaError {
    let var = |name: &str| Element::new("var", ns::SEARCH_ERROR).with_text(name);
    let fields = Element::new("conflicting-fields", ns::SEARCH_ERROR).with_child(var("all")).with_child(var("q"));
    let error = StanzaError::new(Condition::BadRequest).with_type(ErrorType::Modify).with_extra(fields);
    error.with_text("Either all rooms are returned, or those that are searched for.")
}
