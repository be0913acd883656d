//! Nodes that were deleted with the address of another one (XEP-0060 sections 6.1.3.11 and 8.4.1).

use crate::stage::*;
use xeps::testing::Hosted;

#[test]
fn example_40_who_asks_for_a_node_that_has_moved_is_told_where() {
    let mut service = service();
    let uri = "xmpp:hamlet@denmark.lit?;node=blog";
    let deletes = |service: &mut Hosted, node: &str| {
        let delete = format!("<delete node='{node}'><redirect uri='{uri}'/></delete>");
        assert_eq!(brings(service, FRANCISCO, OWNER, &delete)[0], "result");
    };
    create(&mut service, "blog", &[]);
    create(&mut service, "diary", &[("access_model", "whitelist")]);
    deletes(&mut service, "blog");
    deletes(&mut service, "diary");
    service.restarts();
    let subscribe = |node: &str| format!("<subscribe node='{node}' jid='hamlet@example.org'/>");
    let answer = asks(&mut service, HAMLET, "set", NS, &subscribe("blog")).remove(0);
    let gone = format!("<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{uri}</gone>");
    assert!(answer.contains("<error type='modify'>") && answer.contains(&gone), "{answer}");
    assert_eq!(asks(&mut service, HAMLET, "get", NS, "<items node='blog'/>").len(), 1);
    assert_eq!(brings(&mut service, HAMLET, NS, &subscribe("diary")), ["item-not-found"], "it was nobody's business");
    // A new one of that name is what it is.
    create(&mut service, "blog", &[]);
    assert_eq!(brings(&mut service, HAMLET, NS, &subscribe("blog"))[0], "result");
    assert_eq!(brings(&mut service, FRANCISCO, OWNER, "<delete node='blog'/>")[0], "result");
    assert_eq!(brings(&mut service, HAMLET, NS, &subscribe("blog")), ["item-not-found"]);
    // Of so many and no more.
    for number in 0..110 {
        create(&mut service, &format!("n{number}"), &[]);
        deletes(&mut service, &format!("n{number}"));
    }
    assert_eq!(
        ["n0", "n99", "n100"].map(|node| brings(&mut service, HAMLET, NS, &subscribe(node)).remove(0)),
        ["gone", "gone", "item-not-found"]
    );
}
