//! Patterns against elements.

use conformance_suite::play::{Pattern, Scope};
use conformance_suite::xml::{CLIENT, Element, Event, PLAY, Reader};

fn element(text: &str) -> Element {
    let mut reader = Reader::fragments(&[("", CLIENT), ("play", PLAY)]);
    reader.feed(text.as_bytes());
    match reader.next_event() {
        Ok(Some(Event::Element(element))) => element,
        other => panic!("{text}: {other:?}"),
    }
}

fn matches(pattern: &str, actual: &str) -> Result<Vec<(String, String)>, String> {
    let mut scope = Scope::new("t");
    scope.set("romeo", "romeo@localhost");
    let pattern = Pattern::from_element(&element(pattern))?;
    pattern.matches(&element(actual), &scope).map_err(|mismatch| mismatch.why)
}

#[test]
fn more_may_come_than_is_asked_for() {
    assert!(matches("<message><body>hi</body></message>", "<message id='1'><x/><body>hi</body></message>").is_ok());
    assert!(matches("<message/>", "<presence/>").is_err());
    assert!(matches("<x xmlns='a'/>", "<x xmlns='b'/>").is_err());
    assert!(matches("<message to='${romeo}'/>", "<message to='romeo@localhost'/>").is_ok());
    assert!(matches("<message><body>hi</body></message>", "<message><body>hi </body></message>").is_err());
}

#[test]
fn matchers_of_values() {
    let check = |matcher: &str, value: Option<&str>| {
        let actual = value.map_or("<a/>".to_owned(), |value| format!("<a v='{value}'/>"));
        matches(&format!("<a v='{matcher}'/>"), &actual).is_ok()
    };
    assert!(check("{any}", Some("")) && !check("{any}", None));
    assert!(check("{some}", Some("x")) && !check("{some}", Some("")));
    assert!(check("{none}", None) && !check("{none}", Some("")));
    assert!(check("{one of a|b}", Some("b")) && !check("{one of a|b}", Some("c")) && !check("{one of a|b}", None));
    assert!(check("{not a|b}", Some("c")) && check("{not a}", None) && !check("{not a|b}", Some("b")));
    assert!(check("{optional a}", None) && check("{optional a}", Some("a")) && !check("{optional a}", Some("b")));
    assert!(check("{optional: number}", Some("7")) && !check("{optional: number}", Some("x")));
    assert!(check("{starts ab}", Some("abc")) && check("{ends bc}", Some("abc")) && check("{contains b}", Some("abc")));
    assert!(check("{like ABC}", Some("abc")));
    assert!(check("{hex 4}", Some("09aF")) && !check("{hex 4}", Some("09a")) && !check("{hex 4}", Some("09ag")));
    assert!(check("{number 1..5}", Some("5")) && !check("{number 1..5}", Some("6")) && !check("{number}", Some("x")));
    for good in ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00.123456Z", "2024-02-29T12:00:00-06:00"] {
        assert!(check("{datetime}", Some(good)), "{good}");
    }
    for bad in ["20240229T12:00:00", "2024-02-29 12:00:00Z", "2024-02-29T12:00:00", "2024-02-29T12:00:00.Z"] {
        assert!(!check("{datetime}", Some(bad)), "{bad}");
    }
}

#[test]
fn values_are_saved() {
    let saved = matches("<a v='{save x}'><b>{save y: number}</b></a>", "<a v='1'><b>2</b></a>").expect("a match");
    assert_eq!(saved, [("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())]);
    assert!(matches("<a v='{save x}'/>", "<a/>").is_err());
}

#[test]
fn directives_for_children() {
    let two = "<a><b i='1'/><b i='2'/><c/></a>";
    assert!(matches("<a><b play:count='2'/></a>", two).is_ok());
    assert!(matches("<a><b play:count='1'/></a>", two).is_err());
    assert!(matches("<a><d play:absent='yes'/></a>", two).is_ok());
    assert!(matches("<a><c play:absent='yes'/></a>", two).is_err());
    assert!(matches("<a><d play:optional='yes'/><c/></a>", two).is_ok());
    assert!(matches("<a play:only='children'><b/><b/><c/></a>", two).is_ok());
    assert!(matches("<a play:only='children'><b/><b/></a>", two).is_err());
    assert!(matches("<a play:only='attributes'/>", "<a v='1'/>").is_err());
    assert!(matches("<a play:ordered='yes'><b/><c/></a>", two).is_ok());
    assert!(matches("<a play:ordered='yes'><c/><b/></a>", two).is_err());
    assert!(matches("<a><c/><b/></a>", two).is_ok());
    assert!(matches("<a><play:any i='2'/></a>", two).is_ok());
    assert!(matches("<a><play:any i='3'/></a>", two).is_err());
    assert!(matches("<a><b/><b/><b/></a>", two).is_err(), "one child cannot stand for two");
}

#[test]
fn a_mismatch_says_where() {
    let why = matches(
        "<iq><query xmlns='q'><item jid='a'/></query></iq>",
        "<iq><query xmlns='q'><item jid='b'/></query></iq>",
    );
    assert!(why.clone().is_err_and(|why| why.contains("'jid'") && why.contains("'b' instead of 'a'")), "{why:?}");
}

#[test]
fn a_count_is_of_what_matches_the_pattern() {
    let list = "<l><i n='1'/><i n='2'/><k n='3'/></l>";
    assert!(matches("<l><i play:count='2'/></l>", list).is_ok());
    assert!(matches("<l><i play:count='1'/></l>", list).is_err());
    assert!(matches("<l><i n='2' play:count='1'/></l>", list).is_ok());
    assert!(matches("<l><i n='3' play:count='1'/></l>", list).is_err());
}

#[test]
fn what_is_counted_is_saved_too() {
    let saved = |pattern: &str, actual: &str| matches(pattern, actual).expect("a match");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(saved("<l><i n='{save x}' play:count='1'/></l>", "<l><i n='7'/></l>"), [pair("x", "7")]);
    let several = saved("<l><i n='{save x}' play:count='2'/></l>", "<l><i n='1'/><i n='2'/></l>");
    assert_eq!(several.last(), Some(&pair("x", "1")), "the last to speak is the first of them");
    assert!(saved("<l><i n='{save x}' play:absent='yes'/></l>", "<l/>").is_empty());
}
