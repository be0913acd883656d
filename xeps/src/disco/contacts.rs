//! The addresses of the people who run the server (XEP-0157).

use crate::form::{Field, Form, FormType};
use serde::{Deserialize, Serialize};

const FORM_TYPE: &str = "http://jabber.org/network/serverinfo";

/// Whom to turn to: URIs (`xmpp:`, `mailto:`, `https:`), one list per purpose. In a configuration as it is here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contacts {
    /// To report abuse.
    pub abuse: Vec<String>,
    /// The administrators.
    pub admin: Vec<String>,
    /// Feedback.
    pub feedback: Vec<String>,
    /// Sales.
    pub sales: Vec<String>,
    /// To report a weakness in security.
    pub security: Vec<String>,
    /// Where the state of the service is published.
    pub status: Vec<String>,
    /// Help for users.
    pub support: Vec<String>,
}

impl Contacts {
    /// The name of each purpose, and its list.
    pub fn each(&self) -> [(&'static str, &[String]); 7] {
        [
            ("abuse", &self.abuse),
            ("admin", &self.admin),
            ("feedback", &self.feedback),
            ("sales", &self.sales),
            ("security", &self.security),
            ("status", &self.status),
            ("support", &self.support),
        ]
    }

    /// The form for the server's disco#info; None when there is nobody to contact.
    pub fn form(&self) -> Option<Form> {
        let field = |(purpose, uris): (&str, &[String])| {
            let field = Field::new(&format!("{purpose}-addresses")).kind("list-multi");
            uris.iter().fold(field, |field, uri| field.value(uri))
        };
        let fields: Vec<Field> = self.each().into_iter().filter(|(_, uris)| !uris.is_empty()).map(field).collect();
        if fields.is_empty() {
            return None;
        }
        Some(fields.into_iter().fold(Form::new(FormType::Result, FORM_TYPE), Form::field))
    }
}
