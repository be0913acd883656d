//! The plays themselves are tested: an honest server passes each, and each notices the fault it is there for.

mod support;

use conformance_suite::net::{Remotes, Security, Target, Trust, client_config};
use conformance_suite::play::{Library, Requirement};
use conformance_suite::report::{Outcome, Status};
use conformance_suite::run::{Accounts, Components, Run, Source, perform, survey};
use conformance_suite::xml::{Element, Node};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::{Manners, Spoil, Wire, body_mut, start};

const HONEST: Manners = Manners { spoil: None, wire: Wire::AsIs };

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().expect("plays without mistakes"));

/// A run against a server of these manners.
async fn run_against(manners: Manners) -> Run {
    let target = Arc::new(Target {
        host: "127.0.0.1".to_owned(),
        port: start(manners).await,
        domain: "localhost".to_owned(),
        security: Security::None,
        direct_tls_port: None,
        websocket: None,
        bosh: None,
        web: None,
        tls: client_config(&Trust::Any).expect("TLS"),
        components: Vec::new(),
        remote: None,
        timeout: Duration::from_millis(700),
        quiet: Duration::from_millis(50),
    });
    let accounts = Accounts { source: Source::Register };
    let profile = survey(&target, &accounts).await;
    Run {
        target,
        accounts,
        profile,
        components: Components::new(&[]),
        remotes: Arc::new(Remotes::none()),
        parallel: 1,
        in_turn: Vec::new(),
        keep_logs: true,
    }
}

fn requirement(id: &str) -> &'static Requirement {
    LIBRARY.get(id).unwrap_or_else(|| panic!("no requirement '{id}'"))
}

async fn play(id: &str, manners: Manners) -> Outcome {
    perform(&run_against(manners).await, requirement(id)).await
}

fn explain(outcome: &Outcome) -> String {
    format!("{:?} {:#?}", outcome.status, outcome.detail)
}

async fn passes(id: &str) {
    let outcome = play(id, HONEST).await;
    assert_eq!(outcome.status, Status::Pass, "{id} against an honest server: {}", explain(&outcome));
}

async fn notices(id: &str, spoil: Spoil, wire: Wire) {
    passes(id).await;
    let outcome = play(id, Manners { spoil, wire }).await;
    assert_eq!(outcome.status, Status::Fail, "{id} against a spoiled server: {}", explain(&outcome));
    assert!(outcome.detail.is_some_and(|detail| !detail.why.is_empty()));
}

/// Applies a change to messages other than the suite's own questions.
fn messages(mut element: Element, change: impl Fn(&mut Element)) -> Vec<Element> {
    if element.name == "message" {
        change(&mut element);
    }
    vec![element]
}

#[tokio::test]
async fn a_wrong_from_is_noticed() {
    let spoil: Spoil = Some(|e| messages(e, |e| e.set("from", "somebody@localhost/else")));
    notices("rfc6120-8.1.2.1-from-full-message", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_bare_from_is_noticed() {
    let spoil: Spoil = Some(|e| {
        messages(e, |e| {
            let bare = e.attr("from").and_then(|from| from.split('/').next()).unwrap_or_default().to_owned();
            e.set("from", &bare);
        })
    });
    notices("rfc6120-8.1.2.1-from-full-message", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_rewritten_to_is_noticed() {
    let spoil: Spoil = Some(|e| {
        messages(e, |e| {
            let to = format!("{}/main", e.attr("to").unwrap_or_default());
            e.set("to", &to);
        })
    });
    notices("rfc6121-8.5.2.1.1-to-unchanged-chat", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_missing_error_is_noticed() {
    let spoil: Spoil = Some(|e| if e.attr("type") == Some("error") { Vec::new() } else { vec![e] });
    notices("rfc6121-8.5.1-iq-get", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_wrong_error_condition_is_noticed() {
    let spoil: Spoil = Some(|mut e| {
        if e.attr("type") == Some("error") {
            e.children.retain(|node| !matches!(node, Node::Element(child) if child.name == "error"));
            let condition = Element::new("urn:ietf:params:xml:ns:xmpp-stanzas", "item-not-found");
            e = e.child(Element::new("jabber:client", "error").with("type", "cancel").child(condition));
        }
        vec![e]
    });
    notices("rfc6121-8.5.1-iq-get", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn an_error_without_type_is_noticed() {
    let spoil: Spoil = Some(|mut e| {
        for node in &mut e.children {
            if let Node::Element(error) = node
                && error.name == "error"
            {
                error.attrs.clear();
            }
        }
        vec![e]
    });
    notices("rfc6121-8.5.1-iq-get", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn an_answer_from_somebody_else_is_noticed() {
    let spoil: Spoil = Some(|mut e| {
        if e.attr("type") == Some("error") {
            e.set("from", "localhost.example");
        }
        vec![e]
    });
    notices("rfc6121-8.5.1-iq-get", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_dropped_message_is_noticed() {
    let spoil: Spoil = Some(|e| if e.name == "message" { Vec::new() } else { vec![e] });
    notices("rfc6121-8.5.3.1-message-chat", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_changed_body_is_noticed() {
    let spoil: Spoil = Some(|e| {
        messages(e, |e| {
            if let Some(body) = body_mut(e) {
                body.children.push(Node::Text("!".to_owned()));
            }
        })
    });
    notices("rfc6121-8.5.3.1-message-chat", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_stanza_nobody_sent_is_noticed() {
    let spoil: Spoil = Some(|e| {
        let during_play = e.attr("id").is_some_and(|id| id.starts_with("barrier-2"));
        let stray = Element::new("jabber:client", "message").with("from", "x@localhost/y");
        if during_play { vec![e, stray] } else { vec![e] }
    });
    notices("rfc6121-8.5.2.1.1-error", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_doubled_stanza_is_noticed() {
    let library_text = "specification: TEST\nversion: 1\ntitle: T\n\nrequirement: once\nsection: 1\nlevel: MUST\ntitle: once\n\
        says: once\ncast: romeo, juliet\nromeo sends:\n\t<message to=\"${juliet.full}\" id=\"m1\"/>\n\
        juliet receives exactly:\n\t<message id=\"m1\"/>\n";
    let doubled: Spoil = Some(|e| if e.name == "message" { vec![e.clone(), e] } else { vec![e] });
    for (spoil, wanted) in [(None, Status::Pass), (doubled, Status::Fail)] {
        let run = run_against(Manners { spoil, wire: Wire::AsIs }).await;
        let library = Library::from_files(&[("t/t.play".to_owned(), library_text.to_owned())]).expect("a play");
        let outcome = perform(&run, &library.requirements[0]).await;
        assert_eq!(outcome.status, wanted, "{}", explain(&outcome));
    }
}

#[tokio::test]
async fn a_wrong_order_is_noticed() {
    notices("rfc6120-10.1-in-order", None, Wire::Swapped).await;
}

#[tokio::test]
async fn unescaped_text_is_noticed() {
    notices("rfc6120-11.3-content-kept-cdata", None, Wire::Unescaped).await;
}

#[tokio::test]
async fn a_stream_left_open_is_noticed() {
    notices("rfc6120-4.9.1.1-error-closes", None, Wire::KeepsOpen).await;
}

#[tokio::test]
async fn a_changed_id_is_noticed() {
    let spoil: Spoil = Some(|e| messages(e, |e| e.set("id", "other")));
    notices("rfc6120-8.1.3-id-kept-message", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn content_left_out_is_noticed() {
    let spoil: Spoil = Some(|e| messages(e, |e| e.children.clear()));
    notices("rfc6120-8.4-unknown-content-message", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn a_message_for_the_sender_of_a_groupchat_is_noticed() {
    let spoil: Spoil = Some(|mut e| {
        if e.name == "message" && e.attr("type") == Some("error") {
            e.set("type", "groupchat");
        }
        vec![e]
    });
    notices("rfc6121-8.5.2.1.1-groupchat-error", spoil, Wire::AsIs).await;
}

#[tokio::test]
async fn what_the_survey_does_not_find_is_not_supported() {
    let ruled_out = run_against(HONEST).await.profile.rules_out(requirement("xep0092-2-result"));
    assert_eq!(ruled_out.map(|outcome| outcome.status), Some(Status::Unsupported));
}
