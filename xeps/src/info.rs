//! What service discovery says of an entity (XEP-0030 section 3.1, XEP-0128).

use crate::form::Form;
use wire::xml::Element;

/// The namespace of disco#info.
pub const NS: &str = "http://jabber.org/protocol/disco#info";

/// Identities, features and extension forms of one entity or node.
#[derive(Clone, Debug, Default)]
pub struct Info {
    pub identities: Vec<Identity>,
    /// Kept sorted and without repeats by [`Info::add_feature`].
    features: Vec<String>,
    pub forms: Vec<Form>,
}

/// XEP-0030 section 3.1: what an entity is; the registrar keeps the list of categories and types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub category: &'static str,
    pub kind: &'static str,
    pub name: Option<String>,
}

impl Info {
    pub fn identity(mut self, category: &'static str, kind: &'static str, name: Option<&str>) -> Self {
        self.identities.push(Identity { category, kind, name: name.map(str::to_owned) });
        self
    }

    pub fn add_feature(&mut self, feature: &str) {
        if let Err(index) = self.features.binary_search_by(|known| known.as_str().cmp(feature)) {
            self.features.insert(index, feature.to_owned());
        }
    }

    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// The `<query/>` that answers disco#info for `node`.
    pub fn to_element(&self, node: Option<&str>) -> Element {
        let mut query = Element::new("query", NS).maybe_attr("node", node);
        for identity in &self.identities {
            query.push(
                Element::new("identity", NS)
                    .with_attr("category", identity.category)
                    .with_attr("type", identity.kind)
                    .maybe_attr("name", identity.name.as_deref()),
            );
        }
        for feature in &self.features {
            query.push(Element::new("feature", NS).with_attr("var", feature.as_str()));
        }
        for form in &self.forms {
            query.push(form.to_element());
        }
        query
    }
}
