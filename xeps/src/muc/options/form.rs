//! The options as a form (XEP-0045 sections 10.1.3 and 10.2), to an owner and back. The same form is what the store keeps.

use super::Options;
use super::presets::{NO_PRESET, Preset, VAR};
use super::table::{ALSO_CALLED, FIELDS, Shape, Spec};
use crate::form::{Field, Form, FormType};
use crate::muc::ns;
use crate::muc::standing::{Role, Roles};
use wire::xml::Element;

/// Why a submitted form is refused with `not-acceptable` (example 161).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    #[error("the value of a field cannot be read")]
    Value,
    #[error("a room with a password needs a password")]
    NoPassword,
    #[error("a text is too long")]
    TooLong,
}

/// Bytes of one text.
const TEXT_MAX: usize = 4096;

/// The fields with their values.
pub fn to_form(kind: FormType, options: &Options) -> Form {
    let mut form = Form::new(kind, ns::ROOMCONFIG);
    if kind == FormType::Form {
        form.fields.push(preset_field(options));
    }
    let mut values = options.clone();
    form.fields.extend(FIELDS.iter().map(|spec| field(spec, &mut values, kind)));
    form
}

/// The options after a form was submitted: what it does not name stays. A preset that is newly chosen comes first, and then
/// those fields that differ from what they were, since clients send all of them back.
pub fn from_form(form: &Form, current: &Options) -> Result<Options, Unacceptable> {
    let mut next = current.clone();
    let chosen = form.value(VAR).and_then(Preset::parse);
    if let Some(preset) = chosen.filter(|preset| Preset::of(current) != Some(*preset)) {
        preset.apply(&mut next);
    }
    for spec in FIELDS {
        if let Some(var) = name_in(form, spec) {
            let mut submitted = current.clone();
            read(spec, form.values(var), &mut submitted)?;
            if submitted != *current {
                read(spec, form.values(var), &mut next)?;
            }
        }
    }
    if next.protected && next.secret.is_empty() {
        return Err(Unacceptable::NoPassword);
    }
    Ok(next)
}

/// A form that submits these values, by the names of fields, with or without what stands before their `_`. Where a field takes
/// several values, blanks are between them. The error is a name that no field has.
pub fn submission(values: &[(String, String)]) -> Result<Form, String> {
    let short = |var: &str| var.rsplit_once("roomconfig_").map_or(var.to_owned(), |(_, name)| name.to_owned());
    let is = |var: &str, name: &str| var == name || short(var) == name;
    values.iter().try_fold(Form::new(FormType::Submit, ns::ROOMCONFIG), |mut form, (name, value)| {
        let spec = FIELDS.iter().find(|spec| is(spec.var, name));
        let var = spec.map(|spec| spec.var).or_else(|| is(VAR, name).then_some(VAR)).ok_or_else(|| name.clone())?;
        let mut field = Field::new(var);
        field.values = match spec.map(|spec| &spec.shape) {
            Some(Shape::Roles(_)) => value.split_whitespace().map(str::to_owned).collect(),
            _ => vec![value.clone()],
        };
        form.fields.push(field);
        Ok(form)
    })
}

/// What a form calls a field that it has.
fn name_in(form: &Form, spec: &Spec) -> Option<&'static str> {
    let has = |var: &&'static str| form.fields.iter().any(|field| field.var.as_deref() == Some(*var));
    let others = ALSO_CALLED.iter().filter(|(own, _)| *own == spec.var).map(|(_, other)| *other);
    std::iter::once(spec.var).chain(others).find(has)
}

fn preset_field(options: &Options) -> Field {
    let current = Preset::of(options).map_or(NO_PRESET, Preset::name);
    let mut field = Field::new(VAR).kind("list-single").label("Template").value(current);
    field.options = vec![(Some("None of these".to_owned()), NO_PRESET.to_owned())];
    field.options.extend(Preset::ALL.map(|preset| (Some(preset.label().to_owned()), preset.name().to_owned())));
    field
}

fn field(spec: &Spec, options: &mut Options, kind: FormType) -> Field {
    let mut field = Field::new(spec.var);
    let (kind_name, values, choices): (_, Vec<String>, Vec<(&str, &str)>) = match &spec.shape {
        Shape::Flag(at) => ("boolean", vec![flag(*at(options)).to_owned()], vec![]),
        Shape::Text(at) => ("text-single", vec![at(options).clone()], vec![]),
        Shape::Secret(at) => ("text-private", vec![at(options).clone()], vec![]),
        Shape::Number(at, _) | Shape::Seconds(at, _) => ("text-single", vec![at(options).to_string()], vec![]),
        Shape::Capacity(at, offered) => {
            let mut choices: Vec<_> = offered.iter().map(|number| (*number, *number)).collect();
            choices.push(("As many as the server allows", "none"));
            let value = match *at(options) {
                0 => "none".to_owned(),
                number => number.to_string(),
            };
            ("list-single", vec![value], choices)
        }
        Shape::Whom(at, choices) => {
            let current = *at(options);
            let value = choices.iter().find(|(who, _, _)| *who == current).map(|(_, value, _)| (*value).to_owned());
            let choices = choices.iter().map(|(_, value, label)| (*label, *value)).collect();
            ("list-single", value.into_iter().collect(), choices)
        }
        Shape::Least(at, choices) => {
            let current = *at(options);
            let value = choices.iter().find(|(least, _, _)| *least == current).map(|(_, value, _)| (*value).to_owned());
            let choices = choices.iter().map(|(_, value, label)| (*label, *value)).collect();
            ("list-single", value.into_iter().collect(), choices)
        }
        Shape::Whois(at) => {
            let value = if *at(options) { "anyone" } else { "moderators" };
            ("list-single", vec![value.to_owned()], vec![("Moderators only", "moderators"), ("Anyone", "anyone")])
        }
        Shape::Roles(at) => {
            let values = at(options).iter().map(|role| role.name().to_owned()).collect();
            let choices = [Role::Moderator, Role::Participant, Role::Visitor];
            ("list-multi", values, choices.map(|role| (role.name(), role.name())).to_vec())
        }
    };
    if kind == FormType::Form {
        field = field.kind(kind_name).label(spec.label);
        field.options = choices.iter().map(|(label, value)| (Some((*label).to_owned()), (*value).to_owned())).collect();
        if let Shape::Seconds(_, most) = &spec.shape {
            field.extra.push(whole_number(*most));
        }
        // A capacity that is not among those offered must still be shown as a choice.
        if let Some(value) = values.first().filter(|value| kind_name == "list-single" && !offers(&field, value)) {
            field.options.push((Some(value.clone()), value.clone()));
        }
    }
    field.values = values;
    field
}

/// XEP-0122 sections 3.1 and 3.2.3.
fn whole_number(most: u32) -> Element {
    let ns = "http://jabber.org/protocol/xdata-validate";
    let range = Element::new("range", ns).with_attr("min", "0").with_attr("max", most.to_string());
    Element::new("validate", ns).with_attr("datatype", "xs:integer").with_child(range)
}

fn offers(field: &Field, value: &str) -> bool {
    field.options.iter().any(|(_, offered)| offered == value)
}

fn read(spec: &Spec, values: &[String], options: &mut Options) -> Result<(), Unacceptable> {
    let one = values.first().map(|value| value.trim()).unwrap_or_default();
    match &spec.shape {
        Shape::Flag(at) => *at(options) = parse_flag(one)?,
        Shape::Text(at) | Shape::Secret(at) => {
            let text = values.join("\n");
            if text.len() > TEXT_MAX {
                return Err(Unacceptable::TooLong);
            }
            *at(options) = text;
        }
        Shape::Number(at, most) | Shape::Seconds(at, most) => {
            *at(options) = one.parse::<u32>().map_err(|_| Unacceptable::Value)?.min(*most)
        }
        Shape::Capacity(at, _) => {
            *at(options) = match one {
                "" | "none" => 0,
                number => number.parse().map_err(|_| Unacceptable::Value)?,
            }
        }
        Shape::Whom(at, choices) => {
            let who = choices.iter().find(|(_, value, _)| *value == one);
            *at(options) = who.map(|(who, _, _)| *who).ok_or(Unacceptable::Value)?;
        }
        Shape::Least(at, choices) => {
            let least = choices.iter().find(|(_, value, _)| *value == one);
            *at(options) = least.map(|(least, _, _)| *least).ok_or(Unacceptable::Value)?;
        }
        Shape::Whois(at) => {
            *at(options) = match one {
                "anyone" => true,
                "moderators" => false,
                _ => return Err(Unacceptable::Value),
            }
        }
        Shape::Roles(at) => {
            let roles = values.iter().try_fold(Roles::NONE, |roles, name| match Role::parse(name.trim()) {
                Some(role) => Ok(roles.with(role)),
                // Affiliations are in the registered form, too; whoever has one is asked for the role.
                None if matches!(name.trim(), "none" | "member" | "admin" | "owner") => Ok(roles),
                None => Err(Unacceptable::Value),
            });
            *at(options) = roles?;
        }
    }
    Ok(())
}

fn flag(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

/// XEP-0004 section 3.3: a boolean is 0, 1, false or true.
fn parse_flag(text: &str) -> Result<bool, Unacceptable> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Unacceptable::Value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::muc::options::Who;

    fn submit(fields: &[(&str, &str)]) -> Form {
        fields.iter().fold(Form::new(FormType::Submit, ns::ROOMCONFIG), |form, (var, value)| {
            form.field(Field::new(var).value(*value))
        })
    }

    #[test]
    fn a_form_that_is_submitted_unchanged_changes_nothing() {
        let options = Options {
            name: "The Coven".to_owned(),
            max_users: 37,
            private_messages: Who::Nobody,
            member_list: Roles::NONE,
            ..Options::default()
        };
        let form = to_form(FormType::Form, &options);
        assert_eq!(from_form(&form, &options), Ok(options.clone()));
        assert_eq!(from_form(&to_form(FormType::Submit, &options), &Options::default()), Ok(options));
    }

    #[test]
    fn what_is_not_named_stays_and_what_cannot_be_is_refused() {
        let before = Options { name: "Coven".to_owned(), ..Options::default() };
        let after = from_form(&submit(&[("muc#roomconfig_membersonly", "true")]), &before).unwrap();
        assert_eq!(after, Options { members_only: true, ..before.clone() });
        let refused = |var, value| from_form(&submit(&[(var, value)]), &before).unwrap_err();
        assert_eq!(refused("muc#roomconfig_passwordprotectedroom", "1"), Unacceptable::NoPassword);
        assert_eq!(refused("muc#roomconfig_membersonly", "perhaps"), Unacceptable::Value);
        assert_eq!(refused("muc#roomconfig_maxusers", "many"), Unacceptable::Value);
        assert_eq!(refused("muc#roomconfig_roomname", &"x".repeat(5000)), Unacceptable::TooLong);
    }

    #[test]
    fn fields_are_known_by_their_names_on_other_servers_if_they_have_no_other() {
        let before = Options::default();
        let after = from_form(&submit(&[("muc#roomconfig_enablearchiving", "0")]), &before).unwrap();
        assert_eq!(after, Options { archive: false, ..before.clone() });
        let both = [("muc#roomconfig_enablearchiving", "0"), ("muc#roomconfig_mam", "1")];
        assert_eq!(from_form(&submit(&both), &before), Ok(before));
    }

    #[test]
    fn an_operator_names_fields_briefly() {
        let set = |values: &[(&str, &str)]| {
            let values: Vec<_> = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            submission(&values)
        };
        let form = set(&[("roomname", "A Cave"), ("muc#roomconfig_membersonly", "1"), ("archivedays", "7")]).unwrap();
        let after = from_form(&form, &Options::default()).unwrap();
        assert_eq!((after.name.as_str(), after.members_only, after.archive_days), ("A Cave", true, 7));
        let form = set(&[("presencebroadcast", "moderator participant")]).unwrap();
        let after = from_form(&form, &Options::default()).unwrap();
        assert_eq!(after.broadcast, Roles::NONE.with(Role::Moderator).with(Role::Participant));
        assert!(from_form(&set(&[("preset", "team")]).unwrap(), &Options::default()).unwrap().members_only);
        assert_eq!(set(&[("colour", "red")]), Err("colour".to_owned()));
    }

    #[test]
    fn a_preset_is_applied_and_what_the_owner_changed_beside_it_wins() {
        let before = Options::default();
        let mut form = to_form(FormType::Form, &before);
        for field in &mut form.fields {
            match field.var.as_deref() {
                Some(VAR) => field.values = vec!["team".to_owned()],
                Some("muc#roomconfig_changesubject") => field.values = vec!["0".to_owned()],
                Some("muc#roomconfig_moderatedroom") => field.values = vec!["1".to_owned()],
                _ => {}
            }
        }
        let after = from_form(&form, &before).unwrap();
        assert!(after.members_only && after.non_anonymous && after.persistent && after.moderated);
        assert!(after.change_subject, "the form only sent back what was there");
    }
}
