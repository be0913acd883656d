//! Discovery of trees of nodes (XEP-0499), played at a service and an account in memory.

use crate::stage::*;
use wire::xml::Element;
use xeps::testing::Hosted;

const ITEMS: &str = "http://jabber.org/protocol/disco#items";
const RSM: &str = "http://jabber.org/protocol/rsm";

/// dir > { one > { deep }, two }, likes linked to dir, below them loved; stars linked to one. A lonely node beside it.
fn files() -> Hosted {
    let mut service = service();
    for (name, fields) in [
        ("dir", &[("title", "Directory")][..]),
        ("one", &[(PARENT, "dir")]),
        ("deep", &[(PARENT, "one")]),
        ("two", &[(PARENT, "dir")]),
        ("likes", &[(LINK, "dir")]),
        ("loved", &[(PARENT, "likes")]),
        ("stars", &[(LINK, "one")]),
        ("alone", &[]),
    ] {
        assert_eq!(create(&mut service, name, fields), ["result"], "{name}");
    }
    for (node, item) in [("dir", "a"), ("dir", "b"), ("one", "c"), ("deep", "d"), ("likes", "e"), ("alone", "f")] {
        assert_eq!(publish(&mut service, FRANCISCO, node, item), ["result"]);
    }
    service
}

fn asked(node: &str, fields: Fields<'_>, set: &str) -> String {
    let fields: String = fields
        .iter()
        .map(|(var, values)| {
            let values: String = values.split(',').map(|value| format!("<value>{value}</value>")).collect();
            format!("<field var='{var}'>{values}</field>")
        })
        .collect();
    let node = if node.is_empty() { String::new() } else { format!(" node='{node}'") };
    format!(
        "<query xmlns='{ITEMS}'{node}><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>
         <value>urn:xmpp:pubsub-ext-disco:0</value></field>{fields}</x>{set}</query>"
    )
}

fn query(service: &mut Hosted, who: &str, query: &str) -> Result<Element, String> {
    let answer = service.receives(&format!("<iq type='get' from='{who}' to='{SERVICE}' id='1'>{query}</iq>")).remove(0);
    let line = line(&answer);
    if line == "result" { Ok(xeps::testing::payload(&answer)) } else { Err(line) }
}

/// What is shown: `one` is a node, `one/c` an item of it.
fn shown(query: &Element) -> Vec<String> {
    let name = |item: &Element| {
        let node = item.attr("node").expect("section 3.1: it is there for all").to_owned();
        match item.child("x", "jabber:x:data") {
            Some(_) => node,
            None => format!("{node}/{}", item.attr("name").unwrap()),
        }
    };
    query.children_named("item", ITEMS).map(name).collect()
}

fn finds(service: &mut Hosted, who: &str, node: &str, fields: Fields<'_>) -> Vec<String> {
    shown(&query(service, who, &asked(node, fields, "")).unwrap())
}

#[test]
fn section_3_1_what_is_found_depends_on_the_form() {
    let mut service = files();
    for (node, fields, expected) in [
        ("dir", &[][..], &["dir/a", "dir/b"][..]),
        ("dir", &[("depth", "1")], &["dir/a", "dir/b", "one", "one/c", "two"]),
        ("dir", &[("depth", "1"), ("type", "nodes")], &["one", "two"]),
        (
            "dir",
            &[("depth", "2"), ("type", "nodes,items")],
            &["dir/a", "dir/b", "one", "one/c", "deep", "deep/d", "two"],
        ),
        ("dir", &[("depth", "-1"), ("type", "items")], &["dir/a", "dir/b", "one/c", "deep/d"]),
        ("dir", &[("type", "nodes"), ("linked_nodes", "true")], &["likes"]),
        ("dir", &[("linked_nodes", "1")], &["dir/a", "dir/b", "likes", "likes/e"]),
        ("dir", &[("type", "nodes"), ("linked_nodes", "1"), ("depth", "1")], &["likes", "one", "stars", "two"]),
        ("likes", &[("type", "nodes"), ("depth", "1")], &["loved"]),
        ("", &[("type", "nodes")], &["alone", "dir"]),
        ("", &[("type", "nodes"), ("depth", "1")], &["alone", "dir", "one", "two"]),
        ("", &[("type", "nodes"), ("linked_nodes", "1")], &["alone", "dir", "likes"]),
    ] {
        assert_eq!(finds(&mut service, BERNARDO, node, fields), expected, "{node} {fields:?}");
    }
    let bad = query(&mut service, BERNARDO, &asked("dir", &[("type", "leaves")], ""));
    assert_eq!(bad, Err("bad-request".to_owned()));
    let none = query(&mut service, BERNARDO, &asked("nothing", &[], ""));
    assert_eq!(none, Err("item-not-found".to_owned()));
}

#[test]
fn example_2_nodes_come_with_the_relations_that_they_have() {
    let mut service = files();
    let fields = |service: &mut Hosted, more: Fields<'_>| {
        let wish = [&[("type", "nodes"), ("linked_nodes", "true"), ("depth", "1")], more].concat();
        let query = query(service, BERNARDO, &asked("dir", &wish, "")).unwrap();
        let form = |item: &Element| -> Vec<String> {
            let form = item.children().next().unwrap();
            assert_eq!(form.attr("type"), Some("result"));
            form.children()
                .filter(|field| field.attr("var") != Some("FORM_TYPE"))
                .map(|field| format!("{}={}", field.attr("var").unwrap(), field.children().next().unwrap().text()))
                .collect()
        };
        query.children_named("item", ITEMS).map(form).collect::<Vec<_>>()
    };
    let (one, two) = (vec![format!("{PARENT}=dir")], vec![format!("{PARENT}=dir")]);
    let (likes, stars) = (vec![format!("{LINK}=dir")], vec![format!("{LINK}=one"), format!("{PARENT}=dir")]);
    assert_eq!(fields(&mut service, &[]), [likes, one, stars, two]);
    let full = fields(&mut service, &[("full_metadata", "true")]);
    assert!(full.iter().all(|form| form.contains(&"pubsub#access_model=open".to_owned())), "{full:?}");
    assert!(full[1].contains(&format!("{PARENT}=dir")), "{full:?}");
}

#[test]
fn section_4_what_one_may_not_see_is_not_found_nor_what_is_below() {
    let mut service = files();
    assert_eq!(configure(&mut service, "one", &[("access_model", "whitelist")]), ["result"]);
    let all = &[("depth", "-1"), ("linked_nodes", "1"), ("type", "nodes")];
    assert_eq!(finds(&mut service, BERNARDO, "dir", all), ["likes", "two"]);
    assert_eq!(finds(&mut service, FRANCISCO, "dir", all), ["likes", "one", "stars", "deep", "two"]);
    assert_eq!(query(&mut service, BERNARDO, &asked("deep", all, "")), Err("item-not-found".to_owned()));
    assert_eq!(configure(&mut service, "dir", &[("access_model", "whitelist")]), ["result"]);
    assert_eq!(finds(&mut service, BERNARDO, "", all), ["alone"]);
}

#[test]
fn without_the_form_the_answer_is_the_usual_one() {
    let mut service = files();
    let plain = query(&mut service, BERNARDO, &format!("<query xmlns='{ITEMS}' node='dir'/>")).unwrap();
    assert!(plain.children().all(|item| item.attr("node").is_none()), "XEP-0060 section 5.5");
    let other = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:other</value></field></x>";
    let other = format!("<query xmlns='{ITEMS}' node='dir'>{other}</query>");
    assert_eq!(query(&mut service, BERNARDO, &other).unwrap(), plain);
    let info = service
        .receives(&format!(
            "<iq type='get' from='{BERNARDO}' to='{SERVICE}' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        ))
        .remove(0);
    for feature in ["urn:xmpp:pubsub-ext-disco:0", "urn:xmpp:pubsub-ext-sub:0", "urn:xmpp:pubsub-relationships:0"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
}

#[test]
fn section_4_a_large_result_comes_page_by_page_in_the_same_order() {
    let mut service = files();
    let wish = &[("depth", "-1"), ("linked_nodes", "true")];
    for node in ["dir", ""] {
        let whole = finds(&mut service, FRANCISCO, node, wish);
        assert!(whole.len() > 8, "{whole:?}");
        for size in [1, 2, 3, 100] {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let set = format!("<set xmlns='{RSM}'><max>{size}</max>{after}</set>");
                let page = query(&mut service, FRANCISCO, &asked(node, wish, &set)).unwrap();
                let names = shown(&page);
                assert!(names.len() <= size);
                let Some(last) = page.child("set", RSM).unwrap().child("last", RSM) else { break };
                after = format!("<after>{}</after>", last.text());
                found.extend(names);
            }
            assert_eq!(found, whole, "{node} by {size}");
        }
    }
    for (id, condition) in [("3:two", Ok(0)), ("5:alone", Err("item-not-found")), ("nonsense", Err("item-not-found"))] {
        let set = format!("<set xmlns='{RSM}'><after>{id}</after></set>");
        let page = query(&mut service, FRANCISCO, &asked("dir", wish, &set));
        assert_eq!(page.as_ref().map(|page| shown(page).len()).map_err(String::as_str), condition, "{id}");
    }
    let back = query(&mut service, FRANCISCO, &asked("dir", wish, &format!("<set xmlns='{RSM}'><before/></set>")));
    assert_eq!(back, Err("feature-not-implemented".to_owned()));
}
