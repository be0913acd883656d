//! Hats (XEP-0317): titles that a room has made up for its users, beside roles and affiliations.

use super::ns;
use crate::form::Form;
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use wire::stanza::{Condition, StanzaError};
use wire::xml::Element;

/// Hats of one room, and of one user in it.
pub const MOST: usize = 100;
pub const MOST_WORN: usize = 20;
/// Bytes of a URI and of a title.
const URI_MAX: usize = 1024;
const TITLE_MAX: usize = 256;

pub const TITLE: &str = "hats#title";
pub const URI: &str = "hats#uri";
pub const HUE: &str = "hats#hue";
pub const JID: &str = "hats#jid";

/// One hat. Its URI says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hat {
    pub uri: String,
    pub title: String,
    /// An angle in degrees, as it was written.
    pub hue: Option<String>,
    /// The language of the title.
    pub lang: Option<String>,
}

impl Hat {
    /// Reads the form of section 3.2.
    pub fn submitted(form: &Form, lang: Option<&str>) -> Result<Hat, StanzaError> {
        let value = |var| form.value(var).map(str::trim).filter(|value| !value.is_empty());
        let (uri, title) = value(URI).zip(value(TITLE)).ok_or(Condition::BadRequest)?;
        let unacceptable = |text| Err(StanzaError::new(Condition::NotAcceptable).with_text(text));
        if uri.len() > URI_MAX || !is_uri(uri) {
            return unacceptable("a hat needs a URI");
        }
        if title.len() > TITLE_MAX {
            return unacceptable("the title is too long");
        }
        let hue = value(HUE);
        if hue.is_some_and(|hue| !hue.parse::<f64>().is_ok_and(|hue| (0.0..=360.0).contains(&hue))) {
            return unacceptable("a hue is an angle from 0 to 360 degrees");
        }
        let (uri, title) = (uri.to_owned(), title.to_owned());
        Ok(Hat { uri, title, hue: hue.map(str::to_owned), lang: lang.map(str::to_owned) })
    }

    /// As it is shown and stored.
    pub fn to_element(&self) -> Element {
        let hat = Element::new("hat", ns::HATS)
            .with_attr("title", &self.title)
            .with_attr("uri", &self.uri)
            .maybe_attr("hue", self.hue.as_deref());
        match &self.lang {
            Some(lang) => hat.with_attr_ns("lang", wire::ns::XML, lang),
            None => hat,
        }
    }

    pub fn parse(hat: &Element) -> Option<Hat> {
        let own = |name: &str| hat.attr(name).map(str::to_owned);
        let lang = hat.attr_ns("lang", wire::ns::XML).map(str::to_owned);
        Some(Hat { uri: own("uri")?, title: own("title")?, hue: own("hue"), lang })
    }
}

/// RFC 3986 section 3, as far as it can be told a URI from something else.
fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one))
        && !text.contains(|one: char| one.is_whitespace() || one.is_control())
}

/// The hats of a room, by URI.
#[derive(Clone, Debug, Default)]
pub struct Hats(BTreeMap<String, Hat>);

impl Hats {
    pub fn of(hats: impl IntoIterator<Item = Hat>) -> Hats {
        Hats(hats.into_iter().map(|hat| (hat.uri.clone(), hat)).collect())
    }

    pub fn get(&self, uri: &str) -> Option<&Hat> {
        self.0.get(uri)
    }

    pub fn put(&mut self, hat: Hat) {
        self.0.insert(hat.uri.clone(), hat);
    }

    pub fn remove(&mut self, uri: &str) -> Option<Hat> {
        self.0.remove(uri)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Hat> {
        self.0.values()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is shown of who wears these; nothing of who wears none.
    pub fn shown(&self, worn: &[String]) -> Option<Element> {
        let worn: Vec<Element> = worn.iter().filter_map(|uri| self.get(uri)).map(Hat::to_element).collect();
        (!worn.is_empty()).then(|| Element::new("hats", ns::HATS).with_children(worn))
    }

    /// Section 2: another one when the list is another one; None for a room without hats.
    pub fn hash(&self) -> Option<String> {
        let mut hash = Sha1::new();
        self.iter().for_each(|hat| {
            let parts = [Some(hat.uri.as_str()), Some(hat.title.as_str()), hat.hue.as_deref(), hat.lang.as_deref()];
            parts.iter().for_each(|part| hash.update(format!("{}\0", part.unwrap_or_default())));
        });
        let hash = hash.finalize();
        (!self.0.is_empty()).then(|| hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Field, FormType};

    fn form(uri: &str, title: &str, hue: &str) -> Form {
        let form = Form::new(FormType::Submit, ns::HATS_FORM);
        form.field(Field::new(URI).value(uri)).field(Field::new(TITLE).value(title)).field(Field::new(HUE).value(hue))
    }

    #[test]
    fn a_hat_needs_a_uri_and_a_title_and_its_hue_is_an_angle() {
        let made = |uri, title, hue| Hat::submitted(&form(uri, title, hue), Some("en"));
        let hat = made("http://tech.example.edu/hats#Teacher", "Teacher", "327.255249").unwrap();
        assert_eq!(Hat::parse(&hat.to_element()), Some(hat));
        assert_eq!(made("urn:x", "Plain", "").unwrap().hue, None);
        for (uri, title, hue) in
            [("", "T", ""), ("urn:x", " ", ""), ("no uri", "T", ""), ("urn:a b", "T", ""), ("urn:x", "T", "red")]
        {
            assert!(made(uri, title, hue).is_err(), "{uri} {title} {hue}");
        }
        assert!(made("urn:x", "T", "361").is_err() && made("urn:x", "T", "NaN").is_err());
    }

    #[test]
    fn the_hash_follows_the_list() {
        let mut hats = Hats::default();
        assert_eq!((hats.hash(), hats.shown(&["urn:x".to_owned()])), (None, None));
        hats.put(Hat::submitted(&form("urn:x", "Host", ""), None).unwrap());
        let first = hats.hash();
        hats.put(Hat::submitted(&form("urn:x", "Guest", ""), None).unwrap());
        assert_ne!(first, hats.hash());
        assert_eq!(hats.shown(&["urn:x".to_owned(), "urn:gone".to_owned()]).unwrap().children().count(), 1);
    }
}
