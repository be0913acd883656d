//! Relations of nodes (XEP-0496), played at a service in memory.

use crate::stage::*;
use xeps::testing::Hosted;

/// A blog with two nodes for comments, one of which has one below it; likes are linked to the blog, and a node to the likes.
fn blog() -> Hosted {
    let mut service = service();
    for (name, fields) in [
        ("blog", &[][..]),
        ("comments", &[(PARENT, "blog")]),
        ("replies", &[(PARENT, "comments")]),
        ("more", &[(PARENT, "blog")]),
        ("likes", &[(LINK, "blog")]),
        ("likers", &[(LINK, "likes")]),
    ] {
        assert_eq!(create(&mut service, name, fields), ["result"], "{name}");
    }
    service
}

#[test]
fn examples_1_to_6_relations_are_set_and_shown() {
    let mut service = blog();
    assert_eq!(configured(&mut service, "comments", PARENT).as_deref(), Some("blog"));
    assert_eq!(configured(&mut service, "likes", LINK).as_deref(), Some("blog"));
    assert_eq!(configured(&mut service, "blog", PARENT), None);
    let plain = "<x xmlns='jabber:x:data' type='submit'><field var='{urn:xmpp:pubsub-relationships:0}parent'><value>comments</value></field></x>";
    let answer =
        asks(&mut service, FRANCISCO, "set", OWNER, &format!("<configure node='more'>{plain}</configure>")).remove(0);
    let field = "<field label='The node that this one is below, and is deleted with' type='text-single' var='{urn:xmpp:pubsub-relationships:0}parent'><value>comments</value></field>";
    assert!(answer.contains("type='result'") && answer.contains(field), "{answer}");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let info = service.receives(&format!("<iq type='get' from='{HAMLET}' to='{SERVICE}' id='1'>{info}</iq>")).remove(0);
    assert!(info.contains("<feature var='urn:xmpp:pubsub-relationships:0'/>"), "{info}");
}

#[test]
fn section_4_2_there_are_no_circles_over_both_kinds() {
    let mut service = blog();
    let refused = "not-allowed invalid-option";
    for (node, field, target) in [
        ("blog", PARENT, "blog"),
        ("blog", LINK, "blog"),
        ("blog", PARENT, "replies"),
        ("blog", LINK, "comments"),
        ("blog", PARENT, "likers"),
        ("comments", LINK, "replies"),
    ] {
        assert_eq!(configure(&mut service, node, &[(field, target)]), [refused], "{node} {field} {target}");
    }
    assert_eq!(configure(&mut service, "more", &[(PARENT, "replies")]), ["result"], "that is none");
    assert_eq!(configure(&mut service, "more", &[(PARENT, "nothing")]), ["item-not-found"]);
    assert_eq!(configured(&mut service, "more", PARENT).as_deref(), Some("replies"));
}

#[test]
fn section_4_2_a_node_that_is_linked_has_the_parent_of_the_other_one() {
    let mut service = blog();
    let refused = "not-allowed invalid-option";
    assert_eq!(create(&mut service, "site", &[]), ["result"]);
    assert_eq!(configure(&mut service, "blog", &[(PARENT, "site")]), ["result"]);
    for node in ["blog", "likes", "likers"] {
        assert_eq!(configured(&mut service, node, PARENT).as_deref(), Some("site"), "{node}");
    }
    assert_eq!(configure(&mut service, "likes", &[(PARENT, "more")]), [refused]);
    assert_eq!(configure(&mut service, "likes", &[(PARENT, "")]), [refused]);
    assert_eq!(configure(&mut service, "likes", &[(LINK, "more")]), [refused], "more is below the blog");
    assert_eq!(configure(&mut service, "more", &[(LINK, "site")]), [refused], "the site is below nothing");
    let both = create(&mut service, "both", &[(LINK, "blog"), (PARENT, "site")]);
    assert_eq!(both, [refused], "a parent cannot be set together with a link");
    assert_eq!(configure(&mut service, "likes", &[("title", "Likes"), (LINK, "blog"), (PARENT, "site")]), ["result"]);

    assert_eq!(configure(&mut service, "likes", &[(LINK, "")]), ["result"]);
    assert_eq!(configured(&mut service, "likes", PARENT).as_deref(), Some("site"), "it stays where it is");
    assert_eq!(configure(&mut service, "blog", &[(PARENT, "")]), ["result"]);
    assert_eq!(configured(&mut service, "likes", PARENT).as_deref(), Some("site"));
    assert_eq!(delete(&mut service, "site"), ["result"]);
    assert_eq!(discovered(&mut service, FRANCISCO), ["blog", "comments", "more", "replies"]);
}

#[test]
fn the_way_up_is_of_a_bounded_length() {
    let mut service = service();
    assert_eq!(create(&mut service, "0", &[]), ["result"]);
    for depth in 1..=16 {
        let (name, parent) = (depth.to_string(), (depth - 1).to_string());
        assert_eq!(create(&mut service, &name, &[(PARENT, &parent)]), ["result"], "{depth}");
    }
    let refused = "not-allowed invalid-option";
    assert_eq!(create(&mut service, "17", &[(PARENT, "16")]), [refused]);
    assert_eq!(create(&mut service, "17", &[(LINK, "16")]), [refused]);
    for name in ["top", "above"] {
        assert_eq!(create(&mut service, name, &[]), ["result"]);
    }
    assert_eq!(configure(&mut service, "0", &[(PARENT, "top")]), [refused], "sixteen are below it already");
    assert_eq!(configure(&mut service, "1", &[(PARENT, "top")]), ["result"]);
    assert_eq!(configure(&mut service, "top", &[(PARENT, "above")]), [refused]);
}

#[test]
fn section_4_3_what_is_linked_is_deleted_with_the_node_and_not_the_other_way_round() {
    let mut service = blog();
    assert_eq!(delete(&mut service, "likes"), ["result"]);
    assert_eq!(discovered(&mut service, FRANCISCO), ["blog", "comments", "more", "replies"], "with what links to it");
    assert_eq!(create(&mut service, "likes", &[(LINK, "blog")]), ["result"]);
    assert_eq!(delete(&mut service, "blog"), ["result"]);
    assert_eq!(discovered(&mut service, FRANCISCO), [""; 0]);
    assert_eq!(create(&mut service, "likers", &[]), ["result"], "the name is free");
}

#[test]
fn section_4_4_a_branch_is_deleted_as_a_whole_and_its_subscribers_hear_of_it() {
    let mut service = blog();
    for node in ["comments", "replies", "blog"] {
        assert_eq!(subscribe(&mut service, HAMLET, node, &[]), ["result"]);
    }
    assert_eq!(configure(&mut service, "more", &[(PARENT, "")]), ["result"], "section 6: it is unparented first");
    let told = |node: &str| format!("hamlet@example.org: delete {node}");
    assert_eq!(delete(&mut service, "blog"), ["result".to_owned(), told("blog"), told("comments"), told("replies")]);
    assert_eq!(discovered(&mut service, FRANCISCO), ["more"]);
    assert_eq!(service.awake(), 0);
    assert_eq!(create(&mut service, "comments", &[]), ["result"]);
    assert_eq!(items(&mut service, HAMLET, "comments"), "");
    assert_eq!(publish(&mut service, FRANCISCO, "comments", "1"), ["result"], "nobody follows the new one");
}

#[test]
fn section_4_4_a_large_branch_goes_page_by_page() {
    let mut service = service();
    assert_eq!(create(&mut service, "dir", &[]), ["result"]);
    for number in 0..300 {
        let name = format!("file{number}");
        assert_eq!(create(&mut service, &name, &[(PARENT, "dir")]), ["result"]);
        assert_eq!(subscribe(&mut service, HAMLET, &name, &[]), ["result"]);
    }
    let request = format!(
        "<iq type='set' from='{FRANCISCO}' to='{SERVICE}' id='1'><pubsub xmlns='{OWNER}'><delete node='dir'/></pubsub></iq>"
    );
    let mut pages = Vec::new();
    service.takes_by_page(xeps::testing::stanza(&request), |page| pages.push(page.len()));
    assert_eq!(pages.iter().sum::<usize>(), 301);
    assert!(pages.iter().all(|page| *page <= 1), "{pages:?}");
    assert_eq!(discovered(&mut service, FRANCISCO), [""; 0]);
}

#[test]
fn section_4_4_who_gets_at_a_node_gets_at_all_that_is_above() {
    let mut service = blog();
    for node in ["blog", "comments", "replies", "likes"] {
        assert_eq!(publish(&mut service, FRANCISCO, node, "1"), ["result"]);
    }
    assert_eq!(subscribe(&mut service, BERNARDO, "replies", &[]), ["result"]);
    assert_eq!(items(&mut service, BERNARDO, "replies"), "1");
    assert_eq!(configure(&mut service, "blog", &[("access_model", "whitelist")]), ["result"]);

    assert_eq!(items(&mut service, BERNARDO, "replies"), "not-allowed closed-node");
    assert_eq!(subscribe(&mut service, BERNARDO, "comments", &[]), ["not-allowed closed-node"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "2"), ["result"], "who does not get at it is not told");
    assert_eq!(items(&mut service, BERNARDO, "likes"), "1", "section 4.3: links are independent");
    assert_eq!(discovered(&mut service, BERNARDO), ["likers", "likes"]);
    let info = "<query xmlns='http://jabber.org/protocol/disco#info' node='replies'/>";
    let info = service.receives(&format!("<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'>{info}</iq>"));
    assert_eq!(line(&info[0]), "item-not-found");
    let own = asks(&mut service, BERNARDO, "get", NS, "<subscriptions/>").remove(0);
    assert!(!own.contains("replies"), "{own}");
    let options = "<subscriptions node='replies'><subscription jid='hamlet@example.org' subscription='subscribed'/></subscriptions>";
    assert_eq!(configure(&mut service, "replies", &[("send_last_published_item", "on_sub")]), ["result"]);
    let added = brings(&mut service, FRANCISCO, OWNER, options);
    assert_eq!(added.len(), 2, "told of the subscription, and not of the last item: {added:?}");

    affiliate(&mut service, "blog", BERNARDO, "member");
    assert_eq!(items(&mut service, BERNARDO, "replies"), "1 2");
    let third = publish(&mut service, FRANCISCO, "replies", "3");
    assert_eq!(third, ["result", "bernardo@example.net: items replies item 3"], "the subscription was never over");
    let own = asks(&mut service, BERNARDO, "get", NS, "<subscriptions/>").remove(0);
    assert!(own.contains("node='replies'"), "{own}");
    affiliate(&mut service, "comments", BERNARDO, "outcast");
    assert_eq!(items(&mut service, BERNARDO, "replies"), "forbidden");
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "4"), ["result"]);
}

#[test]
fn section_4_4_who_comes_is_sent_the_last_item_only_past_all_that_is_above() {
    let mut service = blog();
    assert_eq!(configure(&mut service, "replies", &[("send_last_published_item", "on_sub_and_presence")]), ["result"]);
    subscribe(&mut service, BERNARDO, "replies", &[]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "1").len(), 2);
    let shows = |service: &mut Hosted, kind: &str| {
        let sent = service.receives(&format!("<presence from='{BERNARDO}' to='{SERVICE}'{kind}/>"));
        sent.iter().any(|stanza| stanza.contains("<item id='1'"))
    };
    service.receives(&format!("<presence from='bernardo@example.net' to='{SERVICE}' type='subscribed'/>"));
    shows(&mut service, "");
    shows(&mut service, " type='unavailable'");
    assert!(shows(&mut service, ""));
    shows(&mut service, " type='unavailable'");
    assert_eq!(configure(&mut service, "blog", &[("access_model", "whitelist")]), ["result"]);
    assert!(!shows(&mut service, ""));
}

#[test]
fn section_4_4_an_approval_above_counts_below() {
    let mut service = blog();
    assert_eq!(configure(&mut service, "blog", &[("access_model", "authorize")]), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "comments", "1"), ["result"]);
    assert_eq!(items(&mut service, HAMLET, "comments"), "not-authorized not-subscribed");
    assert!(!discovered(&mut service, HAMLET).contains(&"comments".to_owned()));
    subscribe(&mut service, HAMLET, "blog", &[]);
    assert_eq!(items(&mut service, HAMLET, "comments"), "not-authorized not-subscribed", "it waits");
    let approve =
        "<subscriptions node='blog'><subscription jid='hamlet@example.org' subscription='subscribed'/></subscriptions>";
    brings(&mut service, FRANCISCO, OWNER, approve);
    assert_eq!(items(&mut service, HAMLET, "comments"), "1");
}

#[test]
fn section_4_4_who_publishes_may_publish_in_all_that_is_above() {
    let mut service = blog();
    assert_eq!(configure(&mut service, "replies", &[("publish_model", "open")]), ["result"]);
    assert_eq!(publish(&mut service, HAMLET, "replies", "1"), ["forbidden"]);
    assert_eq!(configure(&mut service, "comments", &[("publish_model", "subscribers")]), ["result"]);
    assert_eq!(configure(&mut service, "blog", &[("publish_model", "open")]), ["result"]);
    assert_eq!(publish(&mut service, HAMLET, "replies", "1"), ["forbidden"]);
    assert_eq!(subscribe(&mut service, HAMLET, "comments", &[]), ["result"]);
    assert_eq!(publish(&mut service, HAMLET, "replies", "1"), ["result"]);
    affiliate(&mut service, "blog", HAMLET, "outcast");
    assert_eq!(publish(&mut service, HAMLET, "replies", "2"), ["forbidden"]);
}

/// Subscribers of a node hear of what is below it: nobody else puts something there.
#[test]
fn who_may_publish_there_may_put_nodes_below_a_node() {
    let mut service = blog();
    assert_eq!(creates(&mut service, HAMLET, "intruder", &[(PARENT, "blog")]), ["forbidden"]);
    assert_eq!(creates(&mut service, HAMLET, "intruder", &[(LINK, "replies")]), ["forbidden"]);
    affiliate(&mut service, "blog", HAMLET, "publisher");
    assert_eq!(creates(&mut service, HAMLET, "guest", &[(PARENT, "blog")]), ["result"]);
    assert_eq!(creates(&mut service, HAMLET, "intruder", &[(PARENT, "comments")]), ["forbidden"]);
    assert_eq!(delete(&mut service, "blog"), ["result"]);
    assert_eq!(discovered(&mut service, HAMLET), [""; 0], "section 4.4: whoever made it");
}

#[test]
fn what_a_collection_shows_stays_hidden_if_its_parent_hides_it() {
    let mut service = blog();
    assert_eq!(create(&mut service, "all", &[("node_type", "collection")]), ["result"]);
    assert_eq!(configure(&mut service, "replies", &[("collection", "all")]), ["result"]);
    let items_of = &[("subscription_type", "items"), ("subscription_depth", "all")];
    assert_eq!(subscribe(&mut service, BERNARDO, "all", items_of), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "1").len(), 2);
    assert_eq!(configure(&mut service, "blog", &[("access_model", "whitelist")]), ["result"]);
    assert_eq!(publish(&mut service, FRANCISCO, "replies", "2"), ["result"]);
    let inside = asks(&mut service, BERNARDO, "get", NS, "<items node='all'/>").remove(0);
    assert!(inside.contains("type='result'") && !inside.contains("replies"), "{inside}");
}

#[test]
fn pages_of_nodes_do_not_name_those_that_are_hidden() {
    let mut service = service();
    for number in 0..30 {
        let (name, fields): (_, Fields<'_>) = match number % 10 {
            0 => (format!("open{number:02}"), &[]),
            _ => (format!("secret{number:02}"), &[("access_model", "whitelist")]),
        };
        assert_eq!(create(&mut service, &name, fields), ["result"]);
    }
    let mut after = String::new();
    for expected in [&["open00", "open10"][..], &["open20"], &[]] {
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>{after}</set>");
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{set}</query>");
        let answer =
            service.receives(&format!("<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'>{query}</iq>")).remove(0);
        assert!(!answer.contains("secret"), "{answer}");
        let query = xeps::testing::payload(&answer);
        let found: Vec<&str> = query.children().filter_map(|item| item.attr("node")).collect();
        assert_eq!(found, expected);
        after = format!("<after>{}</after>", found.last().copied().unwrap_or_default());
    }
}

mod on_accounts {
    use crate::stage::{LINK, NS, PARENT};
    use base64::Engine;
    use sha1::{Digest, Sha1};
    use wire::datetime::Timestamp;
    use xeps::testing::World;
    use xeps::{Settings, features};

    const BALCONY: &str = "juliet@example.org/balcony";
    const ORCHARD: &str = "romeo@example.net/orchard";
    const BLOG: &str = "urn:xmpp:microblog:0";
    const COMMENTS: &str = "urn:xmpp:microblog:0:comments/one";

    /// Juliet has a blog with comments, in which Romeo is interested.
    fn verona() -> World {
        let mut world = World::new(features(Settings::new(Timestamp::UNIX_EPOCH)))
            .with_account("juliet", "secret")
            .with_session(BALCONY)
            .with_subscriber("juliet@example.org", "romeo@example.net");
        world.sends_presence(BALCONY, "<presence/>");
        publish(&mut world, BLOG, "one", "");
        publish(&mut world, COMMENTS, "first", &format!("<field var='{PARENT}'><value>{BLOG}</value></field>"));
        world.acts();
        world
    }

    fn publish(world: &mut World, node: &str, id: &str, option: &str) {
        let options = match option {
            "" => String::new(),
            option => format!(
                "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>
                 <value>{NS}#publish-options</value></field>{option}</x></publish-options>"
            ),
        };
        let item = format!("<publish node='{node}'><item id='{id}'><e xmlns='urn:e'/></item></publish>");
        let answer =
            world.asks(BALCONY, &format!("<iq type='set' id='p'><pubsub xmlns='{NS}'>{item}{options}</pubsub></iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
    }

    fn close(world: &mut World, node: &str, model: &str) {
        let form = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>{model}</value></field></x>"
        );
        let request = format!("<pubsub xmlns='{NS}#owner'><configure node='{node}'>{form}</configure></pubsub>");
        let answer = world.asks(BALCONY, &format!("<iq type='set' id='c'>{request}</iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
    }

    /// Romeo's client comes, and says that it wants the comments.
    fn romeo_comes(world: &mut World) {
        let ver = Sha1::digest(format!("client/pc//<{COMMENTS}+notify<").as_bytes());
        let ver = base64::engine::general_purpose::STANDARD.encode(ver);
        world.presence_comes(&format!(
            "<presence from='{ORCHARD}' to='juliet@example.org'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='{ver}'/></presence>"
        ));
        let question = world.acts().into_iter().find_map(|act| {
            let stanza = xeps::testing::stanza(&act[act.find("<iq")?..]);
            (stanza.to.as_ref()?.as_str() == ORCHARD).then_some(stanza)
        });
        if let Some(question) = question {
            let info = format!(
                "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc'/><feature var='{COMMENTS}+notify'/></query>"
            );
            let id = question.id.unwrap();
            world.answer_comes(&format!(
                "<iq type='result' from='{ORCHARD}' to='juliet@example.org' id='{id}'>{info}</iq>"
            ));
        }
    }

    /// Romeo's client has come once more.
    fn asks_again(world: &mut World) {
        world.wait(std::time::Duration::from_secs(60));
        world.presence_comes(&format!("<presence type='probe' from='{ORCHARD}' to='juliet@example.org'/>"));
    }

    /// Whether something of the comments has been sent to Romeo.
    fn told(world: &mut World) -> bool {
        world.acts().iter().any(|act| act.contains(ORCHARD) && act.contains("first"))
    }

    #[test]
    fn contacts_are_told_and_greeted_only_if_they_get_past_the_parent() {
        let mut world = verona();
        romeo_comes(&mut world);
        world.acts();
        publish(&mut world, COMMENTS, "first", "");
        assert!(told(&mut world));
        asks_again(&mut world);
        assert!(told(&mut world), "the last item");

        close(&mut world, BLOG, "whitelist");
        world.acts();
        publish(&mut world, COMMENTS, "first", "");
        assert!(!told(&mut world));
        asks_again(&mut world);
        assert!(!told(&mut world));
        close(&mut world, BLOG, "presence");
        publish(&mut world, COMMENTS, "first", "");
        assert!(told(&mut world));
    }

    #[test]
    fn a_relation_is_a_precondition_like_any_other() {
        let mut world = verona();
        publish(&mut world, COMMENTS, "second", &format!("<field var='{PARENT}'><value>{BLOG}</value></field>"));
        let options = format!(
            "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{NS}#publish-options</value></field>
             <field var='{LINK}'><value>{BLOG}</value></field></x></publish-options>"
        );
        let item = format!("<publish node='{COMMENTS}'><item id='x'><e xmlns='urn:e'/></item></publish>");
        let answer =
            world.asks(BALCONY, &format!("<iq type='set' id='p'><pubsub xmlns='{NS}'>{item}{options}</pubsub></iq>"));
        assert!(answer.contains("precondition-not-met") && answer.contains(LINK), "{answer}");
    }

    #[test]
    fn the_tree_of_an_account_is_discovered_and_deleted() {
        let mut world = verona();
        let wish = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:pubsub-ext-disco:0</value></field>
                    <field var='type'><value>nodes</value></field><field var='depth'><value>1</value></field></x>";
        let found = |world: &mut World, node: &str| {
            let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'{node}>{wish}</query>");
            world.asks(BALCONY, &format!("<iq type='get' id='d' to='juliet@example.org'>{query}</iq>"))
        };
        let in_blog = found(&mut world, &format!(" node='{BLOG}'"));
        assert!(in_blog.contains(&format!("node='{COMMENTS}'")) && in_blog.contains(PARENT), "{in_blog}");
        let all = found(&mut world, "");
        let positions =
            [BLOG, COMMENTS].map(|node| all.find(&format!("<item jid='juliet@example.org' node='{node}'>")));
        assert!(positions[0].is_some() && positions[0] < positions[1], "{all}");
        let delete = format!("<pubsub xmlns='{NS}#owner'><delete node='{BLOG}'/></pubsub>");
        let answer = world.asks(BALCONY, &format!("<iq type='set' id='x'>{delete}</iq>"));
        assert!(answer.contains("type='result'"), "{answer}");
        let nothing = found(&mut world, "");
        assert!(!nothing.contains("<item "), "{nothing}");
    }
}
