//! What a JSON text must contain: objects at least these members, arrays at least these elements in whatever order, strings
//! as the attributes of a [`super::Pattern`] (with templates and matchers), everything else exactly this. A matcher of numbers
//! stands for a number, not for a string with digits.

use super::pattern::Value;
use super::template::Scope;
use serde_json::Value as Json;

#[derive(Clone, Debug, PartialEq)]
pub struct JsonPattern(Json);

impl JsonPattern {
    pub fn parse(text: &str) -> Result<JsonPattern, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
        strings(&json).into_iter().try_for_each(|text| Value::parse(text).map(|_| ()))?;
        Ok(JsonPattern(json))
    }

    /// What `{save x}` keeps, or what is missing.
    pub fn matches(&self, text: &str, scope: &Scope) -> Result<Vec<(String, String)>, String> {
        let got: Json = serde_json::from_str(text).map_err(|error| format!("the answer is not JSON: {error}"))?;
        let mut saved = Vec::new();
        compare(&self.0, &got, scope, &mut saved)?;
        Ok(saved)
    }

    /// The variables it speaks of and those it keeps.
    pub fn variables(&self, uses: &mut Vec<String>, saves: &mut Vec<String>) {
        for text in strings(&self.0) {
            if let Ok(value) = Value::parse(text) {
                value.variables(uses, saves);
            }
        }
    }

    /// For reports.
    pub fn describe(&self) -> String {
        self.0.to_string()
    }
}

/// Every string that is a value.
fn strings(json: &Json) -> Vec<&str> {
    match json {
        Json::String(text) => vec![text],
        Json::Array(elements) => elements.iter().flat_map(strings).collect(),
        Json::Object(members) => members.values().flat_map(strings).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    }
}

fn compare(wanted: &Json, got: &Json, scope: &Scope, saved: &mut Vec<(String, String)>) -> Result<(), String> {
    match (wanted, got) {
        (Json::String(wanted), got @ (Json::String(_) | Json::Number(_))) => {
            let value = Value::parse(wanted)?;
            let text = got.as_str().map_or_else(|| got.to_string(), str::to_owned);
            match got.is_number() == matches!(value, Value::Number(..)) {
                true => value.check(Some(&text), scope, saved),
                false => Err(format!("{got} instead of {wanted}")),
            }
        }
        (Json::Array(wanted), Json::Array(got)) => wanted.iter().try_for_each(|wanted| {
            let fits = |got: &Json| {
                let mut kept = Vec::new();
                compare(wanted, got, scope, &mut kept).is_ok().then_some(kept)
            };
            let found = got.iter().find_map(fits).ok_or_else(|| format!("no element of {} fits", shown(got)))?;
            saved.extend(found);
            Ok(())
        }),
        (Json::Object(wanted), Json::Object(got)) => wanted.iter().try_for_each(|(name, wanted)| {
            let got = got.get(name).ok_or_else(|| format!("no member \"{name}\""))?;
            compare(wanted, got, scope, saved).map_err(|why| format!("\"{name}\": {why}"))
        }),
        (wanted, got) if wanted == got => Ok(()),
        (wanted, got) => Err(format!("{got} instead of {wanted}")),
    }
}

fn shown(elements: &[Json]) -> String {
    Json::Array(elements.to_vec()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOT: &str = r#"{"links":[{"rel":"a","href":"https://one"},{"rel":"b","href":"wss://two"}],"n":1}"#;

    fn matches(wanted: &str) -> Result<Vec<(String, String)>, String> {
        JsonPattern::parse(wanted)?.matches(GOT, &Scope::new("x"))
    }

    #[test]
    fn more_than_what_is_written_may_be_there() {
        let saved = matches(r#"{"links":[{"rel":"b","href":"{save x: starts wss:}"}]}"#);
        assert_eq!(saved, Ok(vec![("x".to_owned(), "wss://two".to_owned())]));
        assert!(matches(r#"{"n":1}"#).is_ok() && matches(r#"{"n":"{number 1..2}"}"#).is_ok());
    }

    #[test]
    fn what_is_missing_or_otherwise_is_told() {
        assert_eq!(matches(r#"{"m":1}"#), Err("no member \"m\"".to_owned()));
        assert_eq!(matches(r#"{"n":2}"#), Err("\"n\": 1 instead of 2".to_owned()));
        assert!(matches(r#"{"links":[{"rel":"a","href":"wss://two"}]}"#).is_err());
        assert!(matches(r#"{"n":"{number 2..}"}"#).is_err() && matches(r#"{"n":"1"}"#).is_err());
        assert!(JsonPattern::parse(r#"{"n":"{number}"}"#).unwrap().matches(r#"{"n":"1"}"#, &Scope::new("x")).is_err());
        assert!(matches("{").is_err() && matches(r#"{"a":"${"}"#).is_err());
    }
}
