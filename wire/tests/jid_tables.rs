//! Addresses that are and that are not, each with the rule that decides: the tables of RFC 7622 section 3.5, then what they leave out.

use wire::jid::{BareJid, Jid, JidError, MAX_PART, Part};
use wire::precis::Error;

fn text_of(typed: &str) -> String {
    match Jid::parse(typed) {
        Ok(jid) => jid.as_str().to_owned(),
        Err(error) => panic!("{typed:?}: {error}"),
    }
}

/// `(typed, local, domain, resource)`
type Row = (&'static str, Option<&'static str>, &'static str, Option<&'static str>);

/// RFC 7622 section 3.5, table 1.
#[test]
fn examples_of_valid_addresses() {
    let table: [Row; 14] = [
        ("juliet@example.com", Some("juliet"), "example.com", None),
        ("juliet@example.com/foo", Some("juliet"), "example.com", Some("foo")),
        ("juliet@example.com/foo bar", Some("juliet"), "example.com", Some("foo bar")),
        ("juliet@example.com/foo@bar", Some("juliet"), "example.com", Some("foo@bar")),
        (r"foo\20bar@example.com", Some(r"foo\20bar"), "example.com", None),
        ("fussball@example.com", Some("fussball"), "example.com", None),
        ("fu\u{df}ball@example.com", Some("fu\u{df}ball"), "example.com", None),
        ("\u{3c0}@example.com", Some("\u{3c0}"), "example.com", None),
        ("\u{3a3}@example.com/foo", Some("\u{3c3}"), "example.com", Some("foo")),
        ("\u{3c3}@example.com/foo", Some("\u{3c3}"), "example.com", Some("foo")),
        ("\u{3c2}@example.com/foo", Some("\u{3c2}"), "example.com", Some("foo")),
        ("king@example.com/\u{265a}", Some("king"), "example.com", Some("\u{265a}")),
        ("example.com", None, "example.com", None),
        ("a.example.com/b@example.net", None, "a.example.com", Some("b@example.net")),
    ];
    for (typed, local, domain, resource) in table {
        let jid: Jid = typed.parse().unwrap();
        assert_eq!((jid.local(), jid.domain(), jid.resource()), (local, domain, resource), "{typed:?}");
        assert_eq!(jid.is_full(), resource.is_some(), "{typed:?}");
        assert_eq!(jid.is_bare(), resource.is_none(), "{typed:?}");
        assert_eq!(jid.is_domain(), local.is_none() && resource.is_none(), "{typed:?}");
        assert_eq!(Jid::from_parts(local, domain, resource), Ok(jid), "{typed:?}");
    }
    assert_eq!(Jid::parse("example.com/foobar").unwrap().resource(), Some("foobar"));
}

/// RFC 7622 section 3.5, table 2.
#[test]
fn examples_of_strings_that_are_no_addresses() {
    let table = [
        ("\"juliet\"@example.com", JidError::ReservedInLocal('"')),
        ("foo bar@example.com", JidError::Refused(Part::Local, Error::Disallowed(' '))),
        ("juliet@example.com/ foo", JidError::Refused(Part::Resource, Error::OutOfContext(' '))),
        ("@example.com/", JidError::Empty(Part::Local)),
        ("henry\u{2163}@example.com", JidError::Refused(Part::Local, Error::Disallowed('\u{2173}'))),
        ("\u{265a}@example.com", JidError::Refused(Part::Local, Error::Disallowed('\u{265a}'))),
        ("juliet@", JidError::Empty(Part::Domain)),
        ("/foobar", JidError::Empty(Part::Domain)),
    ];
    for (typed, error) in table {
        assert_eq!(Jid::parse(typed), Err(error), "{typed:?}");
    }
}

#[test]
fn separators_are_searched_in_the_order_of_the_rfc() {
    let table: [Row; 6] = [
        ("a@b/c/d", Some("a"), "b", Some("c/d")),
        ("a@b//", Some("a"), "b", Some("/")),
        ("b/c@d/e", None, "b", Some("c@d/e")),
        ("b/@", None, "b", Some("@")),
        ("b/a@", None, "b", Some("a@")),
        ("a@b/c@d", Some("a"), "b", Some("c@d")),
    ];
    for (typed, local, domain, resource) in table {
        let jid = Jid::parse(typed).unwrap();
        assert_eq!((jid.local(), jid.domain(), jid.resource()), (local, domain, resource), "{typed:?}");
    }
    for typed in ["", "@", "/", "@/", "a@", "a@/r", "@b", "@b/r", "b/", "a@b/", "a@b@c", "a@@b", "@@"] {
        assert!(Jid::parse(typed).is_err(), "{typed:?}");
    }
}

#[test]
fn localparts_are_mapped() {
    let table = [
        ("Juliet@example.com", "juliet@example.com"),
        ("JULIET@EXAMPLE.COM", "juliet@example.com"),
        ("\u{ff2a}\u{ff55}liet@example.com", "juliet@example.com"),
        // Halfwidth katakana with its voicing mark composes.
        ("\u{ff76}\u{ff9e}@example.com", "\u{30ac}@example.com"),
        // Decomposed, as some systems type it
        ("e\u{301}ric@example.com", "\u{e9}ric@example.com"),
        ("\u{1112}\u{1161}\u{11ab}@example.com", "\u{d55c}@example.com"),
        ("\u{c9}RIC@example.com", "\u{e9}ric@example.com"),
        // Dotted capital I keeps its dot (RFC 8265 section 3.3 with the default case mapping)
        ("\u{130}@example.com", "i\u{307}@example.com"),
        // A sigma that ends the word is mapped as any other
        (
            "\u{39f}\u{394}\u{3a5}\u{3a3}\u{3a3}\u{395}\u{3a5}\u{3a3}@x",
            "\u{3bf}\u{3b4}\u{3c5}\u{3c3}\u{3c3}\u{3b5}\u{3c5}\u{3c3}@x",
        ),
        // Osage and Cherokee capitals, newer than the tables of stringprep
        ("\u{104b0}@example.com", "\u{104d8}@example.com"),
        ("\u{13a0}@example.com", "\u{ab70}@example.com"),
        // Garay, Unicode 16
        ("\u{10d50}@example.com", "\u{10d70}@example.com"),
        // Everything printable that is not kept out
        ("!#$%()*+,-.;=?[\\]^_`{|}~@example.com", "!#$%()*+,-.;=?[\\]^_`{|}~@example.com"),
    ];
    for (typed, prepared) in table {
        assert_eq!(text_of(typed), prepared, "{typed:?}");
        assert_eq!(text_of(prepared), prepared);
    }
}

#[test]
fn localparts_are_refused() {
    for reserved in "\"&':<>".chars() {
        assert_eq!(Jid::parse(&format!("a{reserved}b@example.com")), Err(JidError::ReservedInLocal(reserved)));
        assert!(Jid::from_parts(Some(&reserved.to_string()), "example.com", None).is_err());
    }
    assert_eq!(Jid::from_parts(Some("a@b"), "example.com", None), Err(JidError::ReservedInLocal('@')));
    assert_eq!(Jid::from_parts(Some("a/b"), "example.com", None), Err(JidError::ReservedInLocal('/')));
    // Fullwidth forms must not smuggle a separator in.
    assert_eq!(Jid::parse("a\u{ff20}b@example.com"), Err(JidError::ReservedInLocal('@')));
    assert_eq!(Jid::parse("a\u{ff0f}b@example.com"), Err(JidError::ReservedInLocal('/')));

    let disallowed = [
        "tab\t",
        "nul\0",
        "line\n",
        "space\u{a0}",
        "wide\u{3000}",
        "soft\u{ad}hyphen",
        "zwsp\u{200b}",
        "bom\u{feff}",
        "\u{1f600}",
        "\u{fb01}ancee",
        "\u{2126}\u{fe0f}",
        "half\u{ffa1}",
        "fill\u{3164}",
        "tatweel\u{640}",
        "private\u{e000}",
        "nonchar\u{fdd0}",
        "dot\u{b7}",
        "zwnj\u{200c}",
        "new\u{378}",
    ];
    for local in disallowed {
        let refused = Jid::from_parts(Some(local), "example.com", None);
        assert!(matches!(refused, Err(JidError::Refused(Part::Local, _))), "{local:?}: {refused:?}");
    }
}

#[test]
fn right_to_left_localparts() {
    for local in [
        "\u{5d0}\u{5d1}\u{5d2}",
        "\u{5d0}1",
        "\u{645}\u{62d}\u{645}\u{62f}",
        "\u{627}\u{661}",
        "\u{646}\u{200c}\u{627}",
    ] {
        assert_eq!(Jid::from_parts(Some(local), "example.com", Some("tel")).unwrap().local(), Some(local));
    }
    for local in ["\u{5d0}a", "a\u{5d0}", "1\u{5d0}", "\u{5d0}!", "\u{627}1\u{661}", "\u{5d0}a\u{5d1}"] {
        let refused = Jid::from_parts(Some(local), "example.com", None);
        assert_eq!(refused, Err(JidError::Refused(Part::Local, Error::MixedDirections)), "{local:?}");
    }
    // The rule is one for names; a resource may mix as it likes.
    assert_eq!(text_of("room@muc.example.com/a\u{5d0}b"), "room@muc.example.com/a\u{5d0}b");
}

#[test]
fn resources_are_kept_as_typed_but_for_spaces_and_composition() {
    let table = [
        ("Foo BAR", "Foo BAR"),
        ("\u{ff21}", "\u{ff21}"),
        ("\u{2163}", "\u{2163}"),
        ("\u{fb01}", "\u{fb01}"),
        ("fu\u{df}ball \u{3c2}", "fu\u{df}ball \u{3c2}"),
        ("a\u{a0}b\u{3000}c", "a b c"),
        ("e\u{301}", "\u{e9}"),
        ("trailing ", "trailing "),
        ("\"&'/:<>@", "\"&'/:<>@"),
        (r"d\27artagnan", r"d\27artagnan"),
    ];
    for (typed, prepared) in table {
        let jid = BareJid::parse("room@muc.example.com").unwrap().with_resource(typed).unwrap();
        assert_eq!(jid.resource(), Some(prepared), "{typed:?}");
        assert_eq!(text_of(&format!("room@muc.example.com/{typed}")), jid.as_str(), "{typed:?}");
    }
    for typed in [
        "",
        " ",
        " a",
        "\u{a0}a",
        "a\tb",
        "a\nb",
        "\0",
        "\u{ad}",
        "\u{200b}",
        "a\u{200d}b",
        "\u{b7}",
        "\u{e000}",
        "\u{fffe}",
        "\u{378}",
        "\u{202e}x",
    ] {
        assert!(Jid::from_parts(None, "example.com", Some(typed)).is_err(), "{typed:?}");
    }
}

#[test]
fn emoji_are_nicknames() {
    let table = [
        // Unicode 6, 11, 14, 15, 16, 17
        ("\u{1f600}", "\u{1f600}"),
        ("\u{1f9d1}", "\u{1f9d1}"),
        ("\u{1fae0}", "\u{1fae0}"),
        ("\u{1fae8}", "\u{1fae8}"),
        ("\u{1fae9}", "\u{1fae9}"),
        ("\u{1faea}", "\u{1faea}"),
        ("Romeo \u{1f339}", "Romeo \u{1f339}"),
        // Skin tone, flag of regional letters
        ("\u{1f44b}\u{1f3fd}", "\u{1f44b}\u{1f3fd}"),
        ("\u{1f1eb}\u{1f1f7}", "\u{1f1eb}\u{1f1f7}"),
        // Sequences lose what nobody sees
        ("\u{2764}\u{fe0f}", "\u{2764}"),
        ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", "\u{1f468}\u{1f469}\u{1f467}"),
        ("1\u{fe0f}\u{20e3}", "1\u{20e3}"),
        ("\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", "\u{1f3f4}"),
    ];
    for (typed, prepared) in table {
        let jid = Jid::from_parts(Some("room"), "muc.example.com", Some(typed)).unwrap();
        assert_eq!(jid.resource(), Some(prepared), "{typed:?}");
        assert_eq!(jid.with_resource(prepared), Ok(jid));
    }
}

#[test]
fn domains_are_mapped() {
    let table = [
        ("EXAMPLE.Com", "example.com"),
        ("example.com.", "example.com"),
        ("juliet@example.com./balcony", "juliet@example.com/balcony"),
        ("example\u{3002}com", "example.com"),
        ("example.com\u{3002}", "example.com"),
        ("\u{ff45}\u{ff58}\u{ff41}\u{ff4d}\u{ff50}\u{ff4c}\u{ff45}.com", "example.com"),
        ("b\u{fc}cher.example", "b\u{fc}cher.example"),
        ("B\u{dc}CHER.example", "b\u{fc}cher.example"),
        ("bu\u{308}cher.example", "b\u{fc}cher.example"),
        ("xn--bcher-kva.example", "b\u{fc}cher.example"),
        ("XN--BCHER-KVA.example", "b\u{fc}cher.example"),
        ("fa\u{df}.example", "fa\u{df}.example"),
        ("\u{3c2}.example", "\u{3c2}.example"),
        ("l\u{b7}l.example", "l\u{b7}l.example"),
        ("\u{5d0}\u{5d1}.example", "\u{5d0}\u{5d1}.example"),
        ("localhost", "localhost"),
        ("a-b--c.example", "a-b--c.example"),
        ("1.example", "1.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("juliet@[2001:DB8:0:0:0:0:0:1]/balcony", "juliet@[2001:db8::1]/balcony"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
    ];
    for (typed, prepared) in table {
        assert_eq!(text_of(typed), prepared, "{typed:?}");
        assert_eq!(text_of(prepared), prepared);
    }
}

#[test]
fn domains_are_refused() {
    let table = [
        "a..b",
        ".example",
        "example.com..",
        "..",
        "\u{3002}",
        "example.com.\u{3002}",
        "-a.com",
        "a-.com",
        "a.-b",
        "ab--cd.example",
        "xn--",
        "xn--a.example",
        "xn--example-.com",
        "under_score.example",
        "exa mple.com",
        "example.com:5222",
        "exam!ple",
        "a%b",
        "\u{2603}.example",
        "i\u{2764}.example",
        "a\u{2044}b.example",
        "a\u{ff0f}b.example",
        "a\u{2024}b.example",
        "\u{ad}",
        "a\u{200d}b.example",
        "a\u{b7}b.example",
        "\u{5d0}a.example",
        "\u{300}a.example",
        "\u{fffd}",
        "\u{378}.example",
        "\0.example",
        "[]",
        "[",
        "[::1",
        "::1",
        "[::1]x",
        "[::1%25eth0]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[v1.x]",
        "[1::2::3]",
        "[::1]:5222",
    ];
    for typed in table {
        let refused = Jid::parse(typed);
        assert!(matches!(refused, Err(JidError::NotADomain | JidError::Empty(Part::Domain))), "{typed:?}: {refused:?}");
    }
}

#[test]
fn each_part_has_at_most_1023_bytes() {
    assert_eq!(MAX_PART, 1023);
    let (most, more) = ("a".repeat(1023), "a".repeat(1024));
    let wide = |n: usize| "\u{e9}".repeat(n / 2) + &"a".repeat(n % 2);
    for full in [most.clone(), wide(1023)] {
        let jid = Jid::from_parts(Some(&full), "example.com", Some(&full)).unwrap();
        assert_eq!((jid.local(), jid.resource()), (Some(&*full), Some(&*full)));
        assert_eq!(Jid::parse(jid.as_str()), Ok(jid));
    }
    for long in [more, wide(1024)] {
        assert_eq!(Jid::parse(&format!("{long}@example.com")), Err(JidError::TooLong(Part::Local)));
        assert_eq!(Jid::parse(&format!("example.com/{long}")), Err(JidError::TooLong(Part::Resource)));
    }
    // Mapping counts: fullwidth shrinks to a third, and the limit is on the outcome.
    assert_eq!(Jid::from_parts(Some(&"\u{ff41}".repeat(1023)), "example.com", None).unwrap().local(), Some(&*most));
    assert_eq!(Jid::from_parts(Some(&"\u{ff41}".repeat(1024)), "x", None), Err(JidError::TooLong(Part::Local)));
    assert_eq!(Jid::from_parts(Some(&"A".repeat(1_000_000)), "x", None), Err(JidError::TooLong(Part::Local)));

    // Labels of 63 bytes, fifteen of them and one of 62, make 1022 with their dots; sixteen make 1023.
    let label = "a".repeat(63);
    let longest = [label.as_str(); 16].join(".");
    assert_eq!(longest.len(), 1023);
    assert_eq!(Jid::parse(&longest).unwrap().domain(), longest);
    assert_eq!(Jid::parse(&format!("{longest}.")).unwrap().domain(), longest);
    assert_eq!(Jid::parse(&format!("{longest}.a")), Err(JidError::TooLong(Part::Domain)));
    assert_eq!(Jid::parse(&format!("{label}a.example")), Err(JidError::NotADomain));

    let all = format!("{most}@{longest}/{most}");
    let jid = Jid::parse(&all).unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some(&*most), &*longest, Some(&*most)));
    assert_eq!(jid.to_bare().as_str(), format!("{most}@{longest}"));
}

/// XEP-0106: escaped localparts are ordinary ones to a server.
#[test]
fn escaped_localparts_stay_escaped() {
    let jid = Jid::parse(r"d\27artagnan@musketeers.lit").unwrap();
    assert_eq!(jid.as_str(), r"d\27artagnan@musketeers.lit");
    assert_eq!(jid.local(), Some(r"d\27artagnan"));
    assert_ne!(jid, Jid::parse(r"d\2fartagnan@musketeers.lit").unwrap());
}
