//! Data forms (XEP-0004), as far as a server makes and reads them, with FORM_TYPE (XEP-0068).

use wire::xml::Element;

/// The namespace of data forms.
pub const NS: &str = "jabber:x:data";

/// What the form is for (XEP-0004 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormType {
    Form,
    Submit,
    Cancel,
    Result,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub kind: FormType,
    pub title: Option<String>,
    pub instructions: Vec<String>,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// None only for fixed text.
    pub var: Option<String>,
    /// The field type of XEP-0004 section 3.3, such as `text-single`; a submitted form may leave it out.
    pub kind: Option<&'static str>,
    pub label: Option<String>,
    pub values: Vec<String>,
    pub required: bool,
    /// (label, value) of list fields.
    pub options: Vec<(Option<String>, String)>,
    /// What other specifications put into a field that is to be filled in (such as XEP-0122).
    pub extra: Vec<Element>,
}

impl Form {
    /// A form whose hidden FORM_TYPE field says which one it is.
    pub fn new(kind: FormType, form_type: &str) -> Self {
        let mut field = Field::new("FORM_TYPE").value(form_type);
        field.kind = Some("hidden");
        Form { kind, title: None, instructions: Vec::new(), fields: vec![field] }
    }

    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The first value of a field.
    pub fn value(&self, var: &str) -> Option<&str> {
        self.values(var).first().map(String::as_str)
    }

    pub fn values(&self, var: &str) -> &[String] {
        self.fields.iter().find(|field| field.var.as_deref() == Some(var)).map_or(&[], |field| &field.values)
    }

    pub fn form_type(&self) -> Option<&str> {
        self.value("FORM_TYPE")
    }

    /// Reads an `<x xmlns='jabber:x:data'/>`; None when it is not one or has no valid `type`.
    pub fn parse(x: &Element) -> Option<Form> {
        if !x.is("x", NS) {
            return None;
        }
        let kind = match x.attr("type")? {
            "form" => FormType::Form,
            "submit" => FormType::Submit,
            "cancel" => FormType::Cancel,
            "result" => FormType::Result,
            _ => return None,
        };
        let fields = x.children_named("field", NS).map(Field::parse).collect();
        let instructions = x.children_named("instructions", NS).map(|text| text.text()).collect();
        Some(Form { kind, title: x.child("title", NS).map(|title| title.text()), instructions, fields })
    }

    pub fn to_element(&self) -> Element {
        let kind = match self.kind {
            FormType::Form => "form",
            FormType::Submit => "submit",
            FormType::Cancel => "cancel",
            FormType::Result => "result",
        };
        let mut x = Element::new("x", NS).with_attr("type", kind);
        if let Some(title) = &self.title {
            x.push(Element::new("title", NS).with_text(title.as_str()));
        }
        for text in &self.instructions {
            x.push(Element::new("instructions", NS).with_text(text.as_str()));
        }
        for field in &self.fields {
            x.push(field.to_element());
        }
        x
    }
}

impl Field {
    pub fn new(var: &str) -> Self {
        Field {
            var: Some(var.to_owned()),
            kind: None,
            label: None,
            values: Vec::new(),
            required: false,
            options: Vec::new(),
            extra: Vec::new(),
        }
    }

    pub fn kind(mut self, kind: &'static str) -> Self {
        self.kind = Some(kind);
        self
    }

    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn parse(field: &Element) -> Field {
        Field {
            var: field.attr("var").map(str::to_owned),
            kind: field.attr("type").and_then(known_kind),
            label: field.attr("label").map(str::to_owned),
            values: field.children_named("value", NS).map(|value| value.text()).collect(),
            required: field.child("required", NS).is_some(),
            options: field
                .children_named("option", NS)
                .filter_map(|option| Some((option.attr("label").map(str::to_owned), option.child("value", NS)?.text())))
                .collect(),
            extra: Vec::new(),
        }
    }

    fn to_element(&self) -> Element {
        let mut field = Element::new("field", NS)
            .maybe_attr("var", self.var.as_deref())
            .maybe_attr("type", self.kind)
            .maybe_attr("label", self.label.as_deref());
        self.extra.iter().for_each(|extra| field.push(extra.clone()));
        if self.required {
            field.push(Element::new("required", NS));
        }
        for value in &self.values {
            field.push(Element::new("value", NS).with_text(value.as_str()));
        }
        for (label, value) in &self.options {
            let value = Element::new("value", NS).with_text(value.as_str());
            field.push(Element::new("option", NS).maybe_attr("label", label.as_deref()).with_child(value));
        }
        field
    }
}

/// A result of many items (XEP-0004 section 3.4): what is reported, and a row for each item with a value for each column.
pub fn table(title: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Element {
    let reported = columns.iter().map(|var| Element::new("field", NS).with_attr("var", var));
    let row = |values: Vec<String>| {
        let cell = |(var, value): (&&str, String)| {
            Element::new("field", NS).with_attr("var", var).with_child(Element::new("value", NS).with_text(value))
        };
        Element::new("item", NS).with_children(columns.iter().zip(values).map(cell))
    };
    Element::new("x", NS)
        .with_attr("type", "result")
        .with_child(Element::new("title", NS).with_text(title))
        .with_child(Element::new("reported", NS).with_children(reported))
        .with_children(rows.into_iter().map(row))
}

/// The field types of XEP-0004 section 3.3.
const KINDS: [&str; 10] = [
    "boolean",
    "fixed",
    "hidden",
    "jid-multi",
    "jid-single",
    "list-multi",
    "list-single",
    "text-multi",
    "text-private",
    "text-single",
];

fn known_kind(kind: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| *known == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::stanza::{UNLIMITED, content_scope};

    fn element(xml: &str) -> Element {
        Element::parse(xml, content_scope(), &UNLIMITED).unwrap()
    }

    #[test]
    fn a_form_that_is_written_can_be_read() {
        let mut pick = Field::new("pick").kind("list-single").label("Pick one").value("b").required();
        pick.options = vec![(Some("A".to_owned()), "a".to_owned()), (None, "b".to_owned())];
        let mut form =
            Form::new(FormType::Form, "urn:example").field(pick).field(Field::new("many").value("1").value("2"));
        form.title = Some("Title".to_owned());
        form.instructions = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(Form::parse(&form.to_element()), Some(form));
    }

    #[test]
    fn a_submitted_field_may_have_no_type_and_an_unknown_one_is_none() {
        let form = Form::parse(&element(
            "<x xmlns='jabber:x:data' type='submit'><field var='a'><value>1</value></field>
             <field var='b' type='text-unheard-of'/></x>",
        ))
        .unwrap();
        assert_eq!((form.value("a"), form.value("b"), form.value("c")), (Some("1"), None, None));
        assert!(form.fields.iter().all(|field| field.kind.is_none()));
        assert_eq!(form.form_type(), None);
    }

    #[test]
    fn what_is_no_form_is_not_read() {
        for xml in [
            "<x xmlns='jabber:x:data'/>",
            "<x xmlns='jabber:x:data' type='wish'/>",
            "<x xmlns='jabber:x:oob' type='form'/>",
        ] {
            assert_eq!(Form::parse(&element(xml)), None, "{xml}");
        }
    }
}
