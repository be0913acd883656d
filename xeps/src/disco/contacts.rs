//! The addresses of the people who run the server (XEP-0157).

use crate::form::{Field, Form, FormType};

const FORM_TYPE: &str = "http://jabber.org/network/serverinfo";

/// Whom to turn to: URIs such as `mailto:abuse@example.org`, one list per purpose.
#[derive(Clone, Debug, Default)]
pub struct Contacts {
    pub abuse: Vec<String>,
    pub admin: Vec<String>,
    pub feedback: Vec<String>,
    pub sales: Vec<String>,
    pub security: Vec<String>,
    pub status: Vec<String>,
    pub support: Vec<String>,
}

impl Contacts {
    /// The form for the server's disco#info; None when there is nobody to contact.
    pub fn form(&self) -> Option<Form> {
        let purposes = [
            ("abuse-addresses", &self.abuse),
            ("admin-addresses", &self.admin),
            ("feedback-addresses", &self.feedback),
            ("sales-addresses", &self.sales),
            ("security-addresses", &self.security),
            ("status-addresses", &self.status),
            ("support-addresses", &self.support),
        ];
        let fields: Vec<Field> = purposes
            .into_iter()
            .filter(|(_, uris)| !uris.is_empty())
            .map(|(var, uris)| uris.iter().fold(Field::new(var).kind("list-multi"), |field, uri| field.value(uri)))
            .collect();
        if fields.is_empty() {
            return None;
        }
        Some(fields.into_iter().fold(Form::new(FormType::Result, FORM_TYPE), Form::field))
    }
}
