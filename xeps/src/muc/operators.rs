//! The commands by which those who administer the host look after its rooms from their clients (XEP-0050), beside the command line:
//! the service lists, describes, edits and destroys rooms.
//!
//! What changes a room is the room's to do: it gets the request of an owner, from the host.

use super::creation::Shared;
use super::options::{Preset, from_form, to_form};
use super::records::{self, ROOM};
use super::{ns, operate};
use crate::adhoc::{Call, Wish};
use crate::context::Cx;
use crate::feature::Halt;
use crate::form::{self, Field, Form, FormType};
use crate::store::Key;
use wire::jid::{BareJid, Jid};
use wire::stanza::{Condition, IqType, Stanza, StanzaError};
use wire::xml::Element;

/// Rooms of one list.
const PAGE: usize = 100;
/// FORM_TYPE of the forms.
const FORM: &str = "oriole#rooms";
const ROOM_FIELD: &str = "oriole#room";
const AFTER: &str = "oriole#after";
const REASON: &str = "oriole#reason";

/// What an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    List,
    Show,
    Edit,
    Destroy,
}

impl Task {
    pub const ALL: [Task; 4] = [Task::List, Task::Show, Task::Edit, Task::Destroy];

    pub fn of(node: &str) -> Option<Task> {
        Self::ALL.into_iter().find(|task| task.node() == node)
    }

    pub fn node(self) -> &'static str {
        match self {
            Task::List => "oriole#rooms-list",
            Task::Show => "oriole#rooms-show",
            Task::Edit => "oriole#rooms-edit",
            Task::Destroy => "oriole#rooms-destroy",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Task::List => "List rooms",
            Task::Show => "Look at a room",
            Task::Edit => "Configure a room",
            Task::Destroy => "Destroy a room",
        }
    }

    fn form(self) -> Form {
        let form = titled(self, Form::new(FormType::Form, FORM));
        let room = Field::new(ROOM_FIELD).kind("jid-single").label("Address of the room").required();
        match self {
            Task::List => form.field(Field::new(AFTER).kind("text-single").label("Those after this address")),
            Task::Show | Task::Edit => form.field(room),
            Task::Destroy => {
                form.field(room).field(Field::new(REASON).kind("text-single").label("Reason, for who is in it"))
            }
        }
    }
}

fn titled(task: Task, mut form: Form) -> Form {
    form.title = Some(task.name().to_owned());
    form
}

/// Whether somebody administers the host.
pub fn is_operator(shared: &Shared, from: &Jid) -> bool {
    shared.config.admins.iter().any(|admin| admin.as_str() == from.bare_str())
}

/// Runs the command of an operator. Returns the answer.
pub async fn run(cx: &mut Cx<'_>, service: &BareJid, call: &Call) -> Result<Element, Halt> {
    let (task, fresh) = (Task::of(&call.node).ok_or(Condition::ItemNotFound)?, cx.clock.id());
    let form = match call.wish()? {
        Wish::Cancel => return Ok(call.canceled(&fresh)),
        Wish::Begin => return Ok(call.wants(&fresh, &task.form())),
        Wish::Do(form) => form,
    };
    if task == Task::List {
        let rows = list(cx, service, form.value(AFTER).unwrap_or_default()).await?;
        let table = form::table(task.name(), &[ROOM_FIELD, "oriole#name", "oriole#template"], rows);
        return Ok(call.done(&fresh, Some(table)));
    }
    let room = named(service, form)?;
    let key = Key::new(service.as_str(), ROOM, room.local().unwrap_or_default());
    let record = cx.store.get(key).await?.ok_or(Condition::ItemNotFound)?;
    let result = match task {
        Task::List => None,
        Task::Show => Some(show(cx, &room).await?.to_element()),
        Task::Edit => {
            let options = records::decode_room(&record.value)?.options;
            if form.form_type() != Some(ns::ROOMCONFIG) {
                let mut form = titled(task, to_form(FormType::Form, &options));
                form.fields.push(Field::new(ROOM_FIELD).kind("hidden").value(room.as_str()));
                return Ok(call.wants(&fresh, &form));
            }
            let refused = |text: String| StanzaError::new(Condition::NotAcceptable).with_text(text);
            from_form(form, &options).map_err(|error| refused(error.to_string()))?;
            let query = Element::new("query", ns::OWNER).with_child(form.to_element());
            cx.route(request(&cx.host.domain, &room, query).with_id(fresh.clone()));
            None
        }
        Task::Destroy => {
            let reason = form.value(REASON).filter(|reason| !reason.is_empty());
            cx.route(operate::destruction(&cx.host.domain, &room, reason));
            None
        }
    };
    Ok(call.done(&fresh, result))
}

async fn list(cx: &Cx<'_>, service: &BareJid, after: &str) -> Result<Vec<Vec<String>>, Halt> {
    let after = after.split('@').next().filter(|local| !local.is_empty());
    let page = cx.store.list(service.as_str(), ROOM, after, PAGE).await?;
    let row = |(local, record): (String, crate::store::Record)| {
        let options = records::decode_room(&record.value)?.options;
        let preset = Preset::of(&options).map_or("", Preset::label).to_owned();
        Ok(vec![format!("{local}@{service}"), options.name, preset])
    };
    page.into_iter().map(row).collect::<Result<_, crate::store::StoreError>>().map_err(Halt::from)
}

async fn show(cx: &Cx<'_>, room: &BareJid) -> Result<Form, Halt> {
    let told = operate::describe(cx.store, room).await?.ok_or(Condition::ItemNotFound)?;
    let form = titled(Task::Show, Form::new(FormType::Result, FORM));
    let field = |(name, value): (String, String)| Field::new(&name).kind("text-single").label(&name).value(value);
    Ok(told.into_iter().map(field).fold(form, Form::field))
}

/// The room that a form is about.
fn named(service: &BareJid, form: &Form) -> Result<BareJid, StanzaError> {
    let room = BareJid::parse(form.value(ROOM_FIELD).ok_or(Condition::BadRequest)?.trim());
    let room = room.map_err(|_| Condition::JidMalformed)?;
    match room.local().is_some() && room.domain() == service.as_str() {
        true => Ok(room),
        false => Err(Condition::ItemNotFound.into()),
    }
}

fn request(host: &BareJid, room: &BareJid, query: Element) -> Stanza {
    Stanza::new(IqType::Set).with_from(host.clone()).with_to(room.clone()).with_child(&query)
}
