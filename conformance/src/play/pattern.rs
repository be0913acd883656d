//! What must come: patterns that a received element has to contain.
//!
//! A pattern is an element. The received one must have its name and namespace, its attributes and its children, and
//! may have more. Attribute values and text are equal to what is written, or match a `{...}` matcher.

use super::template::{Scope, Template};
use crate::xml::{Element, Node, PLAY, write_element};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// `None` matches any element.
    name: Option<(String, String)>,
    attrs: Vec<(String, String, Value)>,
    text: Option<Value>,
    children: Vec<(Pattern, Count)>,
    only_attributes: bool,
    only_children: bool,
    ordered: bool,
    written: Element,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    AtLeastOne,
    Exactly(usize),
    Optional,
}

/// A matcher for an attribute value or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Equals(Template),
    /// `{any}`: there, whatever it is.
    Any,
    /// `{some}`: there and not empty.
    Some,
    /// `{none}`: not there (attribute) or empty (text).
    None,
    /// `{save x}` or `{save x: matcher}`.
    Save(String, Box<Value>),
    /// `{optional text}` or `{optional: matcher}`: not there, or as given.
    Optional(Box<Value>),
    /// `{one of a|b|c}`
    OneOf(Vec<Template>),
    /// `{not a|b}`: absent or none of these.
    Not(Vec<Template>),
    /// `{datetime}`: XEP-0082 DateTime.
    DateTime,
    /// `{number}` or `{number 0..127}`.
    Number(i64, i64),
    /// So many hexadecimal digits.
    Hex(usize),
    Starts(Template),
    Ends(Template),
    Contains(Template),
    /// `{like x}`: equal without regard to case.
    Like(Template),
}

/// Why an element does not match; `depth` tells how far the comparison came, to find the closest candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub depth: usize,
    pub why: String,
}

pub type Captures = Vec<(String, String)>;

impl Pattern {
    pub fn from_element(element: &Element) -> Result<Pattern, String> {
        let directive = |name: &str| element.attr_ns(PLAY, name);
        for attr in element.attrs.iter().filter(|attr| attr.ns == PLAY) {
            if !matches!(attr.name.as_str(), "only" | "absent" | "count" | "ordered" | "optional") {
                return Err(format!("unknown directive 'play:{}'", attr.name));
            }
        }
        let (only_attributes, only_children) = match directive("only") {
            None => (false, false),
            Some("attributes") => (true, false),
            Some("children") => (false, true),
            Some("both") => (true, true),
            Some(other) => return Err(format!("play:only is attributes, children or both, not '{other}'")),
        };
        let mut attrs = Vec::new();
        for attr in element.attrs.iter().filter(|attr| attr.ns != PLAY) {
            attrs.push((attr.ns.clone(), attr.name.clone(), Value::parse(&attr.value)?));
        }
        let mut children = Vec::new();
        for child in element.elements() {
            children.push((Pattern::from_element(child)?, count(child)?));
        }
        let text = element.text();
        let blank = text.trim().is_empty() && (text.contains('\n') || element.elements().next().is_some());
        let text = if blank || text.is_empty() { None } else { Some(Value::parse(&text)?) };
        let name = (!element.is(PLAY, "any")).then(|| (element.ns.clone(), element.name.clone()));
        let ordered = directive("ordered").is_some();
        Ok(Pattern { name, attrs, text, children, only_attributes, only_children, ordered, written: element.clone() })
    }

    /// The pattern as written, in one line.
    pub fn describe(&self, default_ns: &str) -> String {
        write_element(&self.written, default_ns)
    }

    pub fn name(&self) -> Option<(&str, &str)> {
        self.name.as_ref().map(|(ns, name)| (ns.as_str(), name.as_str()))
    }

    /// Adds the matcher for an attribute unless the pattern already says something about it.
    pub fn default_attribute(&mut self, name: &str, value: Value) {
        if !self.attrs.iter().any(|(ns, known, _)| ns.is_empty() && known == name) {
            self.attrs.push((String::new(), name.to_owned(), value));
        }
    }

    /// The literal value the pattern demands of an unprefixed attribute, evaluated.
    pub fn wants(&self, name: &str, scope: &Scope) -> Option<String> {
        let (_, _, value) = self.attrs.iter().find(|(ns, known, _)| ns.is_empty() && known == name)?;
        match value {
            Value::Equals(template) => template.eval(scope).ok(),
            _ => None,
        }
    }

    /// Every variable the pattern uses and every name it saves to.
    pub fn variables(&self, uses: &mut Vec<String>, saves: &mut Vec<String>) {
        for (_, _, value) in &self.attrs {
            value.variables(uses, saves);
        }
        if let Some(text) = &self.text {
            text.variables(uses, saves);
        }
        for (child, _) in &self.children {
            child.variables(uses, saves);
        }
    }

    /// Compares; on success the values saved by `{save ...}`.
    pub fn matches(&self, actual: &Element, scope: &Scope) -> Result<Captures, Mismatch> {
        let mut captures = Vec::new();
        self.compare(actual, scope, 0, &mut captures)?;
        Ok(captures)
    }

    fn compare(&self, actual: &Element, scope: &Scope, depth: usize, saved: &mut Captures) -> Result<(), Mismatch> {
        let fail = |depth: usize, why: String| Err(Mismatch { depth, why });
        if let Some((ns, name)) = &self.name {
            if *name != actual.name {
                return fail(depth, format!("<{}/> instead of <{name}/>", actual.name));
            }
            if *ns != actual.ns {
                return fail(depth, format!("<{name}/> in namespace '{}' instead of '{ns}'", actual.ns));
            }
        }
        let here = &actual.name;
        for (ns, name, value) in &self.attrs {
            let got = actual.attr_ns(ns, name);
            if let Err(why) = value.check(got, scope, saved) {
                return fail(depth + 1, format!("attribute '{name}' of <{here}/>: {why}"));
            }
        }
        if self.only_attributes
            && let Some(extra) = actual
                .attrs
                .iter()
                .find(|attr| !self.attrs.iter().any(|(ns, name, _)| *ns == attr.ns && *name == attr.name))
        {
            return fail(depth + 1, format!("<{here}/> has the further attribute '{}'", extra.name));
        }
        if let Some(text) = &self.text {
            let got = actual.text();
            let got = (!got.is_empty()).then_some(got.as_str());
            if let Err(why) = text.check(got, scope, saved) {
                return fail(depth + 1, format!("text of <{here}/>: {why}"));
            }
        }
        self.compare_children(actual, scope, depth + 2, saved)
    }

    fn compare_children(
        &self,
        actual: &Element,
        scope: &Scope,
        depth: usize,
        saved: &mut Captures,
    ) -> Result<(), Mismatch> {
        let children: Vec<&Element> = actual.elements().collect();
        let mut used = vec![false; children.len()];
        let mut last = None;
        for (pattern, count) in &self.children {
            if let Count::Exactly(wanted) = count {
                let found: Vec<(usize, Captures)> = (0..children.len())
                    .filter_map(|index| Some((index, pattern.matches(children[index], scope).ok()?)))
                    .collect();
                if found.len() != *wanted {
                    let what = pattern.written.name.as_str();
                    let why = match wanted {
                        0 => format!("<{what}/> in <{}/> which must not be there", actual.name),
                        _ => format!("{} matching <{what}/> in <{}/> instead of {wanted}", found.len(), actual.name),
                    };
                    return Err(Mismatch { depth, why });
                }
                // Of several, the first is the one that is kept: saved names are set by the last to speak.
                for (index, captures) in found.into_iter().rev() {
                    used[index] = true;
                    saved.extend(captures);
                }
                continue;
            }
            let mut closest: Option<Mismatch> = None;
            let mut hit = None;
            for index in (0..children.len()).filter(|&index| !used[index]) {
                if self.ordered && last.is_some_and(|last| index < last) {
                    continue;
                }
                let mut captures = Vec::new();
                match pattern.compare(children[index], scope, depth, &mut captures) {
                    Ok(()) => {
                        hit = Some((index, captures));
                        break;
                    }
                    Err(mismatch) if closest.as_ref().is_none_or(|best| mismatch.depth > best.depth) => {
                        closest = Some(mismatch);
                    }
                    Err(_) => {}
                }
            }
            match (hit, count) {
                (Some((index, captures)), _) => {
                    used[index] = true;
                    last = Some(index);
                    saved.extend(captures);
                }
                (None, Count::Optional) => {}
                (None, _) => {
                    let missing = format!("<{}/> has no matching <{}/>", actual.name, pattern.written.name);
                    return Err(match closest {
                        Some(closest) if closest.depth > depth => {
                            Mismatch { depth: closest.depth, why: format!("{missing}: {}", closest.why) }
                        }
                        _ => Mismatch { depth, why: missing },
                    });
                }
            }
        }
        match children.iter().zip(&used).find(|(_, used)| !**used) {
            Some((extra, _)) if self.only_children => {
                Err(Mismatch { depth, why: format!("<{}/> has the further child <{}/>", actual.name, extra.name) })
            }
            _ => Ok(()),
        }
    }
}

fn count(child: &Element) -> Result<Count, String> {
    if child.attr_ns(PLAY, "absent").is_some() {
        return Ok(Count::Exactly(0));
    }
    if child.attr_ns(PLAY, "optional").is_some() {
        return Ok(Count::Optional);
    }
    match child.attr_ns(PLAY, "count") {
        None => Ok(Count::AtLeastOne),
        Some(number) => {
            number.parse().map(Count::Exactly).map_err(|_| format!("play:count is a number, not '{number}'"))
        }
    }
}

impl Value {
    pub fn parse(text: &str) -> Result<Value, String> {
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(inside) => Value::matcher(inside),
            None => template(text).map(Value::Equals),
        }
    }

    fn matcher(inside: &str) -> Result<Value, String> {
        let (word, argument) = inside.split_once(' ').unwrap_or((inside, ""));
        let list = |argument: &str| argument.split('|').map(template).collect::<Result<Vec<_>, _>>();
        match (word, argument) {
            ("any", "") => Ok(Value::Any),
            ("some", "") => Ok(Value::Some),
            ("none", "") => Ok(Value::None),
            ("datetime", "") => Ok(Value::DateTime),
            ("number", "") => Ok(Value::Number(i64::MIN, i64::MAX)),
            ("number", range) => {
                let bounds = range.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
                bounds.map(|(from, to)| Value::Number(from, to)).ok_or_else(|| format!("'{range}' is not a range a..b"))
            }
            ("hex", count) => {
                let count = count.parse().map(Value::Hex);
                count.map_err(|_| "{hex} needs the number of digits".to_owned())
            }
            ("save", name) => match name.split_once(": ") {
                Some((name, inner)) => Ok(Value::Save(name.to_owned(), Box::new(Value::matcher(inner)?))),
                None if !name.is_empty() => Ok(Value::Save(name.to_owned(), Box::new(Value::Some))),
                None => Err("{save} needs a name".to_owned()),
            },
            ("optional:", inner) => Ok(Value::Optional(Box::new(Value::matcher(inner)?))),
            ("optional", text) => Ok(Value::Optional(Box::new(Value::Equals(template(text)?)))),
            ("one", _) => match argument.strip_prefix("of ") {
                Some(argument) => list(argument).map(Value::OneOf),
                None => Err("{one of a|b}".to_owned()),
            },
            ("not", _) => list(argument).map(Value::Not),
            ("starts", _) => template(argument).map(Value::Starts),
            ("ends", _) => template(argument).map(Value::Ends),
            ("contains", _) => template(argument).map(Value::Contains),
            ("like", _) => template(argument).map(Value::Like),
            _ => Err(format!("'{{{inside}}}' is not a matcher")),
        }
    }

    pub fn variables(&self, uses: &mut Vec<String>, saves: &mut Vec<String>) {
        match self {
            Value::Equals(template)
            | Value::Starts(template)
            | Value::Ends(template)
            | Value::Contains(template)
            | Value::Like(template) => template.variables(uses),
            Value::OneOf(list) | Value::Not(list) => list.iter().for_each(|template| template.variables(uses)),
            Value::Save(name, inner) => {
                saves.push(name.clone());
                inner.variables(uses, saves);
            }
            Value::Optional(inner) => inner.variables(uses, saves),
            Value::Any | Value::Some | Value::None | Value::DateTime | Value::Number(..) | Value::Hex(_) => {}
        }
    }

    /// Checks a value that may be absent.
    pub fn check(&self, got: Option<&str>, scope: &Scope, saved: &mut Captures) -> Result<(), String> {
        let shown = got.map_or_else(|| "absent".to_owned(), |got| format!("'{got}'"));
        let ensure = |holds: bool, wanted: String| {
            if holds { Ok(()) } else { Err(format!("{shown} instead of {wanted}")) }
        };
        let has = |test: &dyn Fn(&str, &str) -> bool, template: &Template, wanted: &str| {
            let text = template.eval(scope)?;
            ensure(got.is_some_and(|got| test(got, &text)), format!("{wanted}'{text}'"))
        };
        match self {
            Value::Equals(template) => {
                let wanted = template.eval(scope)?;
                ensure(got.unwrap_or_default() == wanted && (got.is_some() || wanted.is_empty()), format!("'{wanted}'"))
            }
            Value::Any => ensure(got.is_some(), "any value".to_owned()),
            Value::Some => ensure(got.is_some_and(|got| !got.is_empty()), "some value".to_owned()),
            Value::None => ensure(got.is_none(), "absent".to_owned()),
            Value::Save(name, inner) => {
                inner.check(got, scope, saved)?;
                saved.push((name.clone(), got.unwrap_or_default().to_owned()));
                Ok(())
            }
            Value::Optional(inner) => match got {
                None => Ok(()),
                Some(_) => inner.check(got, scope, saved),
            },
            Value::OneOf(list) => {
                let wanted = list.iter().map(|template| template.eval(scope)).collect::<Result<Vec<_>, _>>()?;
                ensure(got.is_some_and(|got| wanted.iter().any(|w| w == got)), format!("one of {}", wanted.join(", ")))
            }
            Value::Not(list) => {
                let unwanted = list.iter().map(|template| template.eval(scope)).collect::<Result<Vec<_>, _>>()?;
                let holds = got.is_none_or(|got| unwanted.iter().all(|w| w != got));
                ensure(holds, format!("anything but {}", unwanted.join(", ")))
            }
            Value::DateTime => ensure(got.is_some_and(is_datetime), "a DateTime of XEP-0082".to_owned()),
            Value::Number(from, to) => {
                let number = got.and_then(|got| got.parse::<i64>().ok());
                ensure(number.is_some_and(|number| (*from..=*to).contains(&number)), "a number in range".to_owned())
            }
            Value::Hex(count) => {
                let holds = |got: &str| got.len() == *count && got.bytes().all(|byte| byte.is_ascii_hexdigit());
                ensure(got.is_some_and(holds), format!("{count} hexadecimal digits"))
            }
            Value::Starts(template) => has(&|got, text| got.starts_with(text), template, "what starts with "),
            Value::Ends(template) => has(&|got, text| got.ends_with(text), template, "what ends with "),
            Value::Contains(template) => has(&|got, text| got.contains(text), template, "what contains "),
            Value::Like(template) => {
                has(&|got, text| got.to_lowercase() == text.to_lowercase(), template, "(whatever case) ")
            }
        }
    }
}

fn template(text: &str) -> Result<Template, String> {
    Template::parse(text).map_err(|(_, what)| what)
}

/// `CCYY-MM-DDThh:mm:ss[.sss]TZD` with `TZD` = `Z` or `(+|-)hh:mm`.
fn is_datetime(text: &str) -> bool {
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(got, want)| match want {
                b'9' => got.is_ascii_digit(),
                want => got == want,
            })
    };
    let Some((main, rest)) = text.split_at_checked(19) else { return false };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    shape(main, "9999-99-99T99:99:99") && (zone == "Z" || shape(zone, "+99:99") || shape(zone, "-99:99"))
}

impl Pattern {
    /// Whether the pattern has children or text of its own (as opposed to a bare stanza).
    pub fn is_bare(&self) -> bool {
        self.children.is_empty() && !self.written.children.iter().any(|node| matches!(node, Node::Element(_)))
    }
}
