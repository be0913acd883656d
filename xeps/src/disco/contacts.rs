//! The addresses of the people who run the server (XEP-0157).

use crate::form::{Field, Form, FormType};
use serde::Deserialize;

const FORM_TYPE: &str = "http://jabber.org/network/serverinfo";

/// The section `contacts` of the configuration: URIs such as `mailto:abuse@example.org`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contacts {
    pub abuse: Vec<Uri>,
    pub admin: Vec<Uri>,
    pub feedback: Vec<Uri>,
    pub sales: Vec<Uri>,
    pub security: Vec<Uri>,
    pub status: Vec<Uri>,
    pub support: Vec<Uri>,
}

impl Contacts {
    /// The form for the server's disco#info; None when there is nobody to contact.
    pub fn form(&self) -> Option<Form> {
        let kinds = [
            ("abuse-addresses", &self.abuse),
            ("admin-addresses", &self.admin),
            ("feedback-addresses", &self.feedback),
            ("sales-addresses", &self.sales),
            ("security-addresses", &self.security),
            ("status-addresses", &self.status),
            ("support-addresses", &self.support),
        ];
        let mut form = Form::new(FormType::Result, FORM_TYPE);
        for (var, uris) in kinds.into_iter().filter(|(_, uris)| !uris.is_empty()) {
            let mut field = Field::new(var).kind("list-multi");
            field.values.extend(uris.iter().map(|uri| uri.0.clone()));
            form = form.field(field);
        }
        (form.fields.len() > 1).then_some(form)
    }
}

/// An address with a scheme (RFC 3986 section 3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Uri(String);

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no URI: it needs a scheme, as in 'mailto:abuse@example.org'")]
pub struct NotAUri(String);

impl TryFrom<String> for Uri {
    type Error = NotAUri;

    fn try_from(text: String) -> Result<Self, NotAUri> {
        let is_uri = text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+.-".contains(char))
                && !rest.is_empty()
                && !text.contains(|char: char| char.is_whitespace() || char.is_control())
        });
        if is_uri { Ok(Uri(text)) } else { Err(NotAUri(text)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_scheme_and_something_after_it() {
        for good in ["mailto:abuse@example.org", "xmpp:admin@example.org?message", "https://example.org/support"] {
            assert!(Uri::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "admin@example.org", "mailto:", ":x", "1a:b", "mail to:b", "mailto:a b"] {
            assert!(Uri::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn without_contacts_there_is_no_form() {
        assert!(Contacts::default().form().is_none());
    }
}
