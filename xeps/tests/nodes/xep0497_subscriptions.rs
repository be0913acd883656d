//! Subscriptions to trees of nodes and to metadata (XEP-0497), played at a service in memory.

use crate::stage::*;
use xeps::testing::Hosted;

/// site > { blog > { comments > { replies } } }, and likes that are linked to the blog.
fn site() -> Hosted {
    let mut service = service();
    for (name, fields) in [
        ("site", &[][..]),
        ("blog", &[(PARENT, "site")]),
        ("comments", &[(PARENT, "blog")]),
        ("replies", &[(PARENT, "comments")]),
        ("likes", &[(LINK, "blog")]),
    ] {
        assert_eq!(create(&mut service, name, fields), ["result"], "{name}");
    }
    service
}

/// The nodes of which Hamlet is told when something is published at each of them.
fn told(service: &mut Hosted) -> Vec<&'static str> {
    let all = ["site", "blog", "comments", "replies", "likes"];
    all.into_iter()
        .filter(|node| {
            let sent = publish(service, FRANCISCO, node, "1");
            let expected = format!("hamlet@example.org: items {node} item 1");
            assert!(sent.len() <= 2 && sent.get(1).is_none_or(|event| *event == expected), "{sent:?}");
            sent.len() == 2
        })
        .collect()
}

#[test]
fn section_3_what_is_told_depends_on_type_and_depth() {
    for (node, types, depth, expected) in [
        ("site", "items", "0", &["site"][..]),
        ("site", "items", "1", &["site", "blog"]),
        ("site", "items", "2", &["site", "blog", "comments"]),
        ("site", "items", "-1", &["site", "blog", "comments", "replies"]),
        ("site", "items,linked items", "1", &["site", "blog", "likes"]),
        ("site", "items,linked items", "0", &["site"]),
        ("site", "linked items", "-1", &["likes"]),
        ("site", "metadata", "-1", &[]),
        ("blog", "items,linked items", "0", &["blog", "likes"]),
        ("blog", "items,metadata", "1", &["blog", "comments"]),
        ("likes", "items", "-1", &["likes"]),
    ] {
        let mut service = site();
        assert_eq!(subscribe(&mut service, HAMLET, node, &[(TYPE, types), (DEPTH, depth)]), ["result"]);
        assert_eq!(told(&mut service), expected, "{node} {types} {depth}");
    }
}

#[test]
fn examples_1_2_and_9_options_are_taken_shown_and_bounded() {
    let mut service = site();
    let options = form("subscribe_options", &[(TYPE, "items,metadata,linked items"), (DEPTH, "-1")]);
    let what = format!("<subscribe node='site' jid='hamlet@example.org'/><options>{options}</options>");
    let answer = asks(&mut service, HAMLET, "set", NS, &what).remove(0);
    for value in ["items", "metadata", "linked items", "-1"] {
        assert!(answer.contains(&format!("<value>{value}</value>")), "{value}: {answer}");
    }
    let shown = asks(&mut service, HAMLET, "get", NS, "<options node='site' jid='hamlet@example.org'/>").remove(0);
    assert!(shown.contains("type='list-multi'") && shown.contains("<value>linked items</value>"), "{shown}");
    let default = asks(&mut service, HAMLET, "get", NS, "<default node='site'/>").remove(0);
    let depth = "type='text-single' var='{urn:xmpp:pubsub-ext-sub:0}depth'><value>0</value>";
    assert!(default.contains(depth), "{default}");
    for field in [(TYPE, "weather"), (DEPTH, "deep")] {
        assert_eq!(subscribe(&mut service, BERNARDO, "site", &[field]), ["bad-request invalid-options"]);
    }
    let info = "<query xmlns='http://jabber.org/protocol/disco#info' node='blog'/>";
    let info = service.receives(&format!("<iq type='get' from='{HAMLET}' to='{SERVICE}' id='1'>{info}</iq>")).remove(0);
    let deepest = "var='{urn:xmpp:pubsub-ext-sub:0}max-depth'><value>16</value>";
    assert!(info.contains(deepest), "{info}");
}

#[test]
fn a_subscription_follows_what_comes_and_goes() {
    let mut service = site();
    let all = &[(TYPE, "items,metadata"), (DEPTH, "-1")];
    assert_eq!(subscribe(&mut service, HAMLET, "site", all), ["result"]);
    let appeared = create(&mut service, "drafts", &[(PARENT, "blog"), ("title", "Drafts")]);
    assert_eq!(appeared.len(), 2, "{appeared:?}");
    assert!(appeared[1].starts_with("hamlet@example.org: configuration drafts title=Drafts"), "{appeared:?}");
    assert!(appeared[1].contains(" parent=blog"), "{appeared:?}");
    assert_eq!(publish(&mut service, FRANCISCO, "drafts", "1").len(), 2);

    let moved = configure(&mut service, "drafts", &[(PARENT, "replies")]);
    assert_eq!(moved, ["result", "hamlet@example.org: configuration drafts parent=replies"], "and no farewell");
    let left = configure(&mut service, "drafts", &[(PARENT, "")]);
    assert_eq!(left, ["result", "hamlet@example.org: configuration drafts parent="], "example 5");
    assert_eq!(publish(&mut service, FRANCISCO, "drafts", "2"), ["result"]);
    assert_eq!(configure(&mut service, "drafts", &[("title", "Old drafts")]), ["result"]);

    let gone = delete(&mut service, "comments");
    let told = |node: &str| format!("hamlet@example.org: delete {node}");
    assert_eq!(gone, ["result".to_owned(), told("comments"), told("replies")]);
    let narrow = form("subscribe_options", &[(TYPE, "items"), (DEPTH, "0")]);
    let narrow = format!("<options node='site' jid='hamlet@example.org'>{narrow}</options>");
    assert_eq!(brings(&mut service, HAMLET, NS, &narrow), ["result"]);
    assert_eq!(told_at(&mut service, "blog"), 0);
    let unsubscribe = "<unsubscribe node='site' jid='hamlet@example.org'/>";
    assert_eq!(brings(&mut service, HAMLET, NS, unsubscribe), ["result"]);
    assert_eq!(told_at(&mut service, "site"), 0);
}

fn told_at(service: &mut Hosted, node: &str) -> usize {
    publish(service, FRANCISCO, node, "again").len() - 1
}

#[test]
fn example_4_only_metadata_that_has_changed_is_told_and_only_to_those_who_want_it() {
    let mut service = site();
    assert_eq!(subscribe(&mut service, HAMLET, "blog", &[(TYPE, "metadata")]), ["result"]);
    assert_eq!(subscribe(&mut service, BERNARDO, "blog", &[]), ["result"]);
    let renamed = configure(&mut service, "blog", &[("title", "New Title"), ("description", "New Description")]);
    let told = "hamlet@example.org: configuration blog title=New Title description=New Description";
    assert_eq!(renamed, ["result", told]);
    assert_eq!(configure(&mut service, "blog", &[("notify_retract", "0")]), ["result"], "that is no metadata");
    let untitled = configure(&mut service, "blog", &[("title", "")]);
    assert_eq!(untitled, ["result", "hamlet@example.org: configuration blog title="]);
    assert_eq!(publish(&mut service, FRANCISCO, "blog", "1"), ["result", "bernardo@example.net: items blog item 1"]);
}

#[test]
fn section_4_2_4_nobody_is_told_of_what_it_may_not_see() {
    let mut service = site();
    let all = &[(TYPE, "items,metadata,linked items"), (DEPTH, "-1")];
    assert_eq!(subscribe(&mut service, HAMLET, "site", all), ["result"]);
    assert_eq!(configure(&mut service, "comments", &[("access_model", "whitelist")]).len(), 1, "told too late");
    assert_eq!(told(&mut service), ["site", "blog", "likes"], "neither the node nor what is below");
    assert_eq!(configure(&mut service, "replies", &[("title", "Replies")]), ["result"]);
    affiliate(&mut service, "comments", HAMLET, "member");
    assert_eq!(told(&mut service), ["site", "blog", "comments", "replies", "likes"]);
    assert_eq!(configure(&mut service, "likes", &[("access_model", "authorize")]).len(), 1);
    assert_eq!(told(&mut service), ["site", "blog", "comments", "replies"]);
    affiliate(&mut service, "blog", HAMLET, "outcast");
    assert_eq!(told(&mut service), ["site"]);
}

#[test]
fn whoever_follows_by_several_subscriptions_is_told_once() {
    let mut service = site();
    for node in ["site", "blog", "comments"] {
        assert_eq!(subscribe(&mut service, HAMLET, node, &[(DEPTH, "-1")]), ["result"]);
    }
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "1").len(), 2);
    assert_eq!(publish(&mut service, FRANCISCO, "comments", "1").len(), 2);
    let off = format!("<options node='comments' jid='hamlet@example.org'>{}</options>", {
        form("subscribe_options", &[("deliver", "0")])
    });
    assert_eq!(brings(&mut service, HAMLET, NS, &off), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "2").len(), 2, "by one of the others");
}

/// Section 12.4 of XEP-0060: the id of a notification tells by which node it has come.
#[test]
fn a_subscription_whose_notification_comes_back_ends() {
    let mut service = site();
    assert_eq!(subscribe(&mut service, BERNARDO, "site", &[(DEPTH, "-1")]), ["result"]);
    let what = "<publish node='replies'><item id='1'><e xmlns='urn:e'/></item></publish>";
    let sent = asks(&mut service, FRANCISCO, "set", NS, what);
    let id = xeps::testing::stanza(&sent[1]).id.unwrap();
    let gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let sent = service.receives(&format!(
        "<message type='error' from='bernardo@example.net' to='{SERVICE}' id='{id}'>{gone}</message>"
    ));
    assert_eq!(sent, [""; 0]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "2"), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "site", "2"), ["result"]);
}

const DIGEST: (&str, &str) = ("digest", "1");

/// All that a digest tells when its time has come.
fn digest(service: &mut Hosted) -> Vec<String> {
    service.wait(std::time::Duration::from_secs(25 * 3600));
    service.keeps_appointments().iter().map(|stanza| line(stanza)).collect()
}

#[test]
fn a_digest_tells_nothing_that_the_nodes_above_hide_by_then() {
    let mut service = site();
    assert_eq!(create(&mut service, "all", &[("node_type", "collection")]), ["result"]);
    assert_eq!(configure(&mut service, "replies", &[("collection", "all")]), ["result"]);
    let whole = [DIGEST, ("subscription_type", "items"), ("subscription_depth", "all")];
    assert_eq!(subscribe(&mut service, BERNARDO, "all", &whole), ["result"]);
    assert_eq!(subscribe(&mut service, HAMLET, "replies", &[DIGEST]), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "1"), ["result"], "it waits");
    assert_eq!(digest(&mut service).len(), 2);

    assert_eq!(publish(&mut service, FRANCISCO, "replies", "2"), ["result"]);
    assert_eq!(configure(&mut service, "site", &[("access_model", "whitelist")]), ["result"]);
    assert_eq!(digest(&mut service), [""; 0]);
    assert_eq!(configure(&mut service, "site", &[("access_model", "open")]), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "3"), ["result"]);
    assert_eq!(digest(&mut service).len(), 2, "the subscriptions were never over");
}

#[test]
fn what_happens_elsewhere_in_a_tree_is_told_at_once_and_metadata_too() {
    let mut service = site();
    let all = [DIGEST, (TYPE, "items,metadata"), (DEPTH, "-1")];
    assert_eq!(subscribe(&mut service, HAMLET, "site", &all), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "1").len(), 2);
    assert_eq!(configure(&mut service, "site", &[("title", "Site")]).len(), 2);
    assert_eq!(publish(&mut service, FRANCISCO, "site", "1"), ["result"], "its own items wait");
    assert_eq!(digest(&mut service), ["hamlet@example.org: items site item 1"]);
}
