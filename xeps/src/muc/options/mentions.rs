//! Who may mention whom in a room (XEP-0513 section 3.6), as a part of its options and as the form of that specification.

use super::{Options, Unacceptable, Who, from_form, to_form};
use crate::form::{Form, FormType};
use crate::muc::ns;

/// What the names of the fields begin with.
const PREFIX: &str = "mentions#";

/// The permissions. None of these is ever [`Who::Anyone`]: whoever mentions somebody has voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mentions {
    /// Mentions of one message.
    pub count: u32,
    /// Of single occupants.
    pub individual: Who,
    /// Of the whole room.
    pub channel: Who,
    /// Of everybody who has a role or an affiliation.
    pub associations: Who,
    /// Of everybody who wears a hat.
    pub hats: Who,
}

impl Default for Mentions {
    fn default() -> Self {
        Mentions {
            count: 20,
            individual: Who::Participants,
            channel: Who::Moderators,
            associations: Who::Participants,
            hats: Who::Participants,
        }
    }
}

/// The form of the permissions alone.
pub fn permissions(kind: FormType, options: &Options) -> Form {
    let mut form = Form::new(kind, ns::MENTIONS);
    let all = to_form(kind, options).fields.into_iter();
    form.fields.extend(all.filter(|field| field.var.as_deref().is_some_and(|var| var.starts_with(PREFIX))).map(
        |mut field| {
            field.required = kind == FormType::Form;
            field
        },
    ));
    form
}

/// The options with the permissions that were submitted.
pub fn permitted(form: &Form, current: &Options) -> Result<Options, Unacceptable> {
    let mut own = form.clone();
    own.fields.retain(|field| field.var.as_deref().is_some_and(|var| var.starts_with(PREFIX)));
    from_form(&own, current)
}

/// The permissions that differ, to tell them.
pub fn changed(before: &Options, after: &Options) -> Option<Form> {
    let (old, mut new) = (permissions(FormType::Result, before), permissions(FormType::Result, after));
    new.fields.retain(|field| !old.fields.contains(field) || field.var.as_deref() == Some("FORM_TYPE"));
    (new.fields.len() > 1).then_some(new)
}
