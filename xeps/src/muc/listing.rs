//! What is shown of a listed room to who looks for rooms, kept beside its record so that a search need not wake it.

use super::ns;
use super::options::Options;
use wire::xml::Element;

/// As its owner describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// May be empty.
    pub name: String,
    pub description: String,
    pub language: String,
    /// Anybody may enter, without a password.
    pub open: bool,
    /// Everybody sees real addresses.
    pub non_anonymous: bool,
}

impl Listing {
    pub fn of(options: &Options) -> Listing {
        Listing {
            name: options.name.clone(),
            description: options.description.clone(),
            language: options.language.clone(),
            open: options.is_open(),
            non_anonymous: options.non_anonymous,
        }
    }

    pub fn to_element(&self) -> Element {
        let flag = |set: bool| set.then_some("1");
        Element::new("room", ns::SEARCH)
            .with_attr("name", &self.name)
            .with_attr("description", &self.description)
            .with_attr("language", &self.language)
            .maybe_attr("open", flag(self.open))
            .maybe_attr("non-anonymous", flag(self.non_anonymous))
    }

    pub fn parse(room: &Element) -> Listing {
        let text = |name: &str| room.attr(name).unwrap_or_default().to_owned();
        Listing {
            name: text("name"),
            description: text("description"),
            language: text("language"),
            open: room.attr("open").is_some(),
            non_anonymous: room.attr("non-anonymous").is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_as_it_is_written() {
        let options = Options { name: "A <Dark> Cave".to_owned(), language: "en".to_owned(), ..Options::default() };
        let listing = Listing::of(&options);
        assert!(listing.open && !listing.non_anonymous);
        assert_eq!(Listing::parse(&listing.to_element()), listing);
        assert!(!Listing::of(&Options { members_only: true, ..options }).open);
    }
}
