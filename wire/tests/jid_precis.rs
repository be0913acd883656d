//! The profiles by themselves: the examples of RFC 8265, and what addresses do not show.

use wire::precis::{Error, opaque_string, password, saslprep, username_case_mapped};

/// RFC 8265 section 3.5, tables 1 and 2, as far as they are about one userpart.
#[test]
fn usernames_of_the_rfc() {
    let table = [
        ("juliet@example.com", Ok("juliet@example.com")),
        ("fussball", Ok("fussball")),
        ("fu\u{df}ball", Ok("fu\u{df}ball")),
        ("\u{3c0}", Ok("\u{3c0}")),
        ("\u{3a3}", Ok("\u{3c3}")),
        ("\u{3c3}", Ok("\u{3c3}")),
        ("\u{3c2}", Ok("\u{3c2}")),
        ("foo bar", Err(Error::Disallowed(' '))),
        ("", Err(Error::Empty)),
        ("henry\u{2163}", Err(Error::Disallowed('\u{2173}'))),
        ("\u{221e}", Err(Error::Disallowed('\u{221e}'))),
    ];
    for (typed, expected) in table {
        assert_eq!(username_case_mapped(typed).as_deref().map_err(|error| *error), expected, "{typed:?}");
    }
}

/// RFC 8265 section 4.3, tables 3 and 4.
#[test]
fn passwords_of_the_rfc() {
    let table = [
        ("correct horse battery staple", Ok("correct horse battery staple")),
        ("Correct Horse Battery Staple", Ok("Correct Horse Battery Staple")),
        ("\u{3c0}\u{df}\u{e5}", Ok("\u{3c0}\u{df}\u{e5}")),
        ("Jack of \u{2666}s", Ok("Jack of \u{2666}s")),
        ("foo\u{1680}bar", Ok("foo bar")),
        ("", Err(Error::Empty)),
        ("my cat is a \u{9}by", Err(Error::Disallowed('\t'))),
    ];
    for (typed, expected) in table {
        assert_eq!(password(typed).as_deref().map_err(|error| *error), expected, "{typed:?}");
        assert_eq!(opaque_string(typed).as_deref().map_err(|error| *error), expected, "{typed:?}");
    }
}

#[test]
fn each_kind_of_refusal_names_its_character() {
    assert_eq!(username_case_mapped("a\u{378}"), Err(Error::Unassigned('\u{378}')));
    assert_eq!(username_case_mapped("a\u{b7}"), Err(Error::OutOfContext('\u{b7}')));
    assert_eq!(username_case_mapped("a\u{5d0}"), Err(Error::MixedDirections));
    assert_eq!(opaque_string("a\u{378}"), Err(Error::Unassigned('\u{378}')));
    assert_eq!(opaque_string("a\u{200d}"), Err(Error::OutOfContext('\u{200d}')));
    // Passwords are compared, not shown: OpaqueString lets a selector through no more than any other invisible character.
    assert_eq!(password("\u{2764}\u{fe0f}"), Err(Error::Disallowed('\u{fe0f}')));
    // SASLprep drops it (RFC 3454 appendix B.1).
    assert_eq!(saslprep("\u{2764}\u{fe0f}").unwrap(), "\u{2764}");
}

#[test]
fn nothing_is_copied_that_is_in_normal_form() {
    use std::borrow::Cow::Borrowed;
    assert!(matches!(username_case_mapped("juliet"), Ok(Borrowed("juliet"))));
    assert!(matches!(username_case_mapped("\u{3c0}"), Ok(Borrowed("\u{3c0}"))));
    assert!(matches!(opaque_string("Ren\u{e9}e \u{1f339}"), Ok(Borrowed("Ren\u{e9}e \u{1f339}"))));
    assert!(matches!(saslprep("pencil"), Ok(Borrowed("pencil"))));
}
