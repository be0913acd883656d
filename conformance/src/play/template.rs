//! `${...}`: values that are known only when the play runs.
//!
//! `${name}` is a variable; `${random x}` a random token, the same for the same label throughout a play;
//! `${base64 text}`, `${unbase64 text}` (bytes), `${sha1 text}` and `${sha256 text}` (in base64), `${hmac-sha256 key text}` (bytes),
//! `${repeat N text}`, `${between a b text}`, `${upper text}` and `${lower text}` compute, and nest.

use base64::Engine as _;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Var(String),
    Random(String),
    Base64(Template),
    Unbase64(Template),
    Sha1(Template),
    Sha256(Template),
    HmacSha256(Template, Template),
    Repeat(usize, Template),
    Upper(Template),
    /// What stands behind the first text and before the second, or the end.
    Between(String, String, Template),
    Lower(Template),
}

/// The variables of a running play.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    values: BTreeMap<String, String>,
    token: String,
}

impl Scope {
    /// `token` makes the random names of this play unlike those of any other.
    pub fn new(token: &str) -> Scope {
        Scope { values: BTreeMap::new(), token: token.to_owned() }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

impl Template {
    /// Parses text with `${...}`; the error is a byte offset and what is wrong there.
    pub fn parse(text: &str) -> Result<Template, (usize, String)> {
        parse(text, false)
    }

    /// As [`Template::parse`], and `\n \r \t \0 \\ \$ \xHH \u{H}` stand for bytes.
    pub fn parse_raw(text: &str) -> Result<Template, (usize, String)> {
        parse(text, true)
    }

    pub fn literal(text: &str) -> Template {
        Template(vec![Part::Text(text.as_bytes().to_vec())])
    }

    /// The text, if nothing in it depends on the run.
    pub fn as_literal(&self) -> Option<String> {
        match self.0.as_slice() {
            [] => Some(String::new()),
            [Part::Text(text)] => String::from_utf8(text.clone()).ok(),
            _ => None,
        }
    }

    /// The variables it needs.
    pub fn variables(&self, into: &mut Vec<String>) {
        for part in &self.0 {
            match part {
                Part::Var(name) => into.push(name.clone()),
                Part::Base64(inner)
                | Part::Unbase64(inner)
                | Part::Sha1(inner)
                | Part::Sha256(inner)
                | Part::Repeat(_, inner)
                | Part::Upper(inner)
                | Part::Between(_, _, inner)
                | Part::Lower(inner) => {
                    inner.variables(into);
                }
                Part::HmacSha256(key, inner) => {
                    key.variables(into);
                    inner.variables(into);
                }
                Part::Text(_) | Part::Random(_) => {}
            }
        }
    }

    pub fn eval(&self, scope: &Scope) -> Result<String, String> {
        String::from_utf8(self.eval_bytes(scope)?).map_err(|_| "bytes that are not UTF-8 in text".to_owned())
    }

    pub fn eval_bytes(&self, scope: &Scope) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Var(name) => match scope.get(name) {
                    Some(value) => out.extend_from_slice(value.as_bytes()),
                    None => return Err(format!("nothing is known as '${{{name}}}' yet")),
                },
                Part::Random(label) => out.extend_from_slice(format!("{label}-{}", scope.token).as_bytes()),
                Part::Base64(inner) => {
                    let encoded = base64::engine::general_purpose::STANDARD.encode(inner.eval_bytes(scope)?);
                    out.extend_from_slice(encoded.as_bytes());
                }
                Part::Unbase64(inner) => {
                    let text = inner.eval(scope)?;
                    let bytes = base64::engine::general_purpose::STANDARD.decode(&text);
                    out.extend(bytes.map_err(|_| format!("'{text}' is not base64"))?);
                }
                Part::Sha1(inner) => {
                    let algorithm = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
                    out.extend_from_slice(hash(algorithm, &inner.eval_bytes(scope)?).as_bytes());
                }
                Part::Sha256(inner) => {
                    out.extend_from_slice(hash(&ring::digest::SHA256, &inner.eval_bytes(scope)?).as_bytes());
                }
                Part::HmacSha256(key, inner) => {
                    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key.eval_bytes(scope)?);
                    out.extend_from_slice(ring::hmac::sign(&key, &inner.eval_bytes(scope)?).as_ref());
                }
                Part::Repeat(times, inner) => out.extend(inner.eval_bytes(scope)?.repeat(*times)),
                Part::Upper(inner) => out.extend_from_slice(inner.eval(scope)?.to_uppercase().as_bytes()),
                Part::Between(start, end, inner) => {
                    let text = inner.eval(scope)?;
                    let behind = text.split_once(start.as_str()).map(|(_, behind)| behind);
                    let behind = behind.ok_or_else(|| format!("'{text}' has no '{start}'"))?;
                    out.extend_from_slice(behind.split(end.as_str()).next().unwrap_or(behind).as_bytes());
                }
                Part::Lower(inner) => out.extend_from_slice(inner.eval(scope)?.to_lowercase().as_bytes()),
            }
        }
        Ok(out)
    }
}

/// In base64.
fn hash(algorithm: &'static ring::digest::Algorithm, bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(ring::digest::digest(algorithm, bytes))
}

fn parse(text: &str, raw: bool) -> Result<Template, (usize, String)> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("${") {
            let end = closing(rest).ok_or((at, "'${' without '}'".to_owned()))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(call(&rest[2..end], raw).map_err(|(offset, what)| (at + 2 + offset, what))?);
            at += end + 1;
        } else if raw && rest.starts_with('\\') {
            let (bytes, used) = unescape(rest).map_err(|what| (at, what))?;
            literal.extend(bytes);
            at += used;
        } else {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            literal.extend_from_slice(&rest.as_bytes()[..length]);
            at += length;
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(Template(parts))
}

/// Index of the brace that closes the one at index 1.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

fn call(inside: &str, raw: bool) -> Result<Part, (usize, String)> {
    let Some((word, argument)) = inside.split_once(' ') else {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
        return match inside.is_empty() || !inside.chars().all(allowed) {
            true => Err((0, format!("'{inside}' is not a variable name"))),
            false => Ok(Part::Var(inside.to_owned())),
        };
    };
    let start = word.len() + 1;
    let nested = |argument: &str, offset: usize| parse(argument, raw).map_err(|(at, what)| (offset + at, what));
    match word {
        "random" => Ok(Part::Random(argument.to_owned())),
        // What is encoded is often bytes, so escapes are understood here in any block.
        "base64" => {
            let inner = parse(argument, true).map_err(|(at, what)| (start + at, what))?;
            Ok(Part::Base64(inner))
        }
        "unbase64" => Ok(Part::Unbase64(nested(argument, start)?)),
        "sha1" => Ok(Part::Sha1(nested(argument, start)?)),
        // What XEP-0390 hashes has control characters in it.
        "sha256" => Ok(Part::Sha256(parse(argument, true).map_err(|(at, what)| (start + at, what))?)),
        // Bytes, to be put into base64; so the escapes are understood here, too.
        "hmac-sha256" => {
            let split = super::source::words(argument).first().map_or(0, String::len);
            let (key, rest) = argument.split_at(split);
            let inner = rest.strip_prefix(' ').ok_or((start, "hmac-sha256 needs a key and a text".to_owned()))?;
            let key = nested(key, start)?;
            let inner = parse(inner, true).map_err(|(at, what)| (start + split + 1 + at, what))?;
            Ok(Part::HmacSha256(key, inner))
        }
        "upper" => Ok(Part::Upper(nested(argument, start)?)),
        "lower" => Ok(Part::Lower(nested(argument, start)?)),
        "between" => {
            let mut words = argument.splitn(3, ' ');
            let (Some(before), Some(behind), Some(text)) = (words.next(), words.next(), words.next()) else {
                return Err((start, "between needs two words and a text".to_owned()));
            };
            let offset = start + before.len() + behind.len() + 2;
            Ok(Part::Between(before.to_owned(), behind.to_owned(), nested(text, offset)?))
        }
        "repeat" => {
            let (count, rest) =
                argument.split_once(' ').ok_or((start, "repeat needs a count and a text".to_owned()))?;
            let times = count.parse().map_err(|_| (start, format!("'{count}' is not a count")))?;
            Ok(Part::Repeat(times, nested(rest, start + count.len() + 1)?))
        }
        _ => Err((0, format!("'{word}' is not a function"))),
    }
}

fn unescape(text: &str) -> Result<(Vec<u8>, usize), String> {
    let one = |byte: u8| Ok((vec![byte], 2));
    match text.as_bytes().get(1) {
        Some(b'n') => one(b'\n'),
        Some(b'r') => one(b'\r'),
        Some(b't') => one(b'\t'),
        Some(b'0') => one(0),
        Some(b'\\') => one(b'\\'),
        Some(b'$') => one(b'$'),
        Some(b'x') => {
            let byte = text.get(2..4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            byte.map(|byte| (vec![byte], 4)).ok_or_else(|| "'\\x' needs two hexadecimal digits".to_owned())
        }
        Some(b'u') => {
            let hex = text.strip_prefix("\\u{").and_then(|rest| rest.split_once('}')).map(|(hex, _)| hex);
            let c = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
            match (c, hex) {
                (Some(c), Some(hex)) => Ok((c.to_string().into_bytes(), hex.len() + 4)),
                _ => Err("'\\u{...}' needs a code point".to_owned()),
            }
        }
        _ => Err("unknown escape after '\\'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_functions_and_nesting() {
        let mut scope = Scope::new("x1");
        scope.set("romeo", "romeo@localhost");
        scope.set("romeo.user", "romeo");
        let eval = |text: &str| Template::parse(text).map_err(|(_, what)| what).and_then(|t| t.eval(&scope));
        assert_eq!(eval("to ${romeo}/a"), Ok("to romeo@localhost/a".to_owned()));
        assert_eq!(eval("${random room}"), Ok("room-x1".to_owned()));
        assert_eq!(eval("${upper ${romeo.user}}"), Ok("ROMEO".to_owned()));
        assert_eq!(eval("${between o= ; to=x;so=y}"), Ok("x".to_owned()));
        assert_eq!(eval("${between so= ; to=x;so=${romeo.user}}"), Ok("romeo".to_owned()));
        assert!(eval("${between no= ; to=x}").is_err());
        assert_eq!(eval("${repeat 3 ab}"), Ok("ababab".to_owned()));
        assert!(eval("${tybalt}").is_err());
        let raw = Template::parse_raw("${base64 \\0${romeo.user}\\0pw}");
        assert_eq!(raw.map(|t| t.eval(&scope)), Ok(Ok("AHJvbWVvAHB3".to_owned())));
    }

    /// Test case 2 of RFC 4231.
    #[test]
    fn a_keyed_hash_is_bytes() {
        let mut scope = Scope::new("x1");
        scope.set("key", "Jefe");
        let template = Template::parse("${base64 u\\0${hmac-sha256 ${key} what do ya want for nothing?}}");
        let text = template.map(|template| template.eval(&scope));
        assert_eq!(text, Ok(Ok("dQBb3MFGv2B1TmoEJCYIlXXHWgA/CJ0nOYOd7Fi5ZOw4Qw==".to_owned())));
        let back = Template::parse("${base64 ${unbase64 AP8B}x}").map(|template| template.eval(&scope));
        assert_eq!(back, Ok(Ok("AP8BeA==".to_owned())));
        assert_eq!(Template::parse("${hmac-sha256 key}").map_err(|(at, _)| at), Err(14));
    }

    /// The first example of FIPS 180-2, and its bytes written as escapes.
    #[test]
    fn hashes_are_in_base64() {
        for text in ["${sha256 abc}", "${sha256 a\\x62c}"] {
            let hash = Template::parse(text).map(|template| template.eval(&Scope::default()));
            assert_eq!(hash, Ok(Ok("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=".to_owned())));
        }
    }

    #[test]
    fn raw_escapes_give_bytes() {
        let bytes = Template::parse_raw("a\\xff\\u{1F600}\\n").map(|t| t.eval_bytes(&Scope::default()));
        assert_eq!(bytes, Ok(Ok(b"a\xff\xf0\x9f\x98\x80\n".to_vec())));
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(Template::parse("ab${cd").map_err(|(at, _)| at), Err(2));
        assert_eq!(Template::parse("${nope x}").map_err(|(at, _)| at), Err(2));
        assert_eq!(Template::parse_raw("a\\q").map_err(|(at, _)| at), Err(1));
    }
}
