//! The grammar of plays: what is read, what is expanded, and where mistakes are reported.

use conformance_suite::play::{
    Condition, Fault, HttpBody, HttpStep, Library, Place, Requirement, Role, Stage, StepKind, Verdict, Worth,
};

const HEAD: &str = "specification: TEST 1\nversion: 1.0\ntitle: A test\n\n";

fn requirement(body: &str) -> String {
    format!("{HEAD}requirement: r\nsection: 1\nlevel: MUST\ntitle: t\nsays: s\n{body}")
}

fn read(text: &str) -> Result<Vec<Requirement>, Vec<Fault>> {
    Library::from_files(&[("spec/file.play".to_owned(), text.to_owned())]).map(|library| library.requirements)
}

fn fault(text: &str) -> (usize, usize, String) {
    let faults = read(text).expect_err("a mistake");
    let first = faults.first().expect("one fault");
    (first.line, first.column, first.what.clone())
}

#[test]
fn the_parts_of_a_requirement() {
    let found = read(&requirement(
        "needs: feature urn:x on account or stream urn:y\ncast: romeo priority 5, juliet/balcony connected, nobody absent\n\
         friends: romeo and juliet\n\nromeo sends:\n\t<message to=\"${juliet/balcony}\"/>\njuliet/balcony receives nothing\n",
    ))
    .expect("no mistakes");
    let [r] = found.as_slice() else { panic!("one requirement") };
    assert_eq!(r.spec.name, "TEST 1");
    assert_eq!(r.needs[0].any_of.len(), 2);
    assert_eq!(r.cast[0].priority, Some(5));
    assert_eq!((r.cast[1].account.as_str(), r.cast[1].resource.as_str()), ("juliet", "balcony"));
    assert_eq!(r.cast[2].stage, Stage::Absent);
    assert_eq!(r.steps.len(), 2);
    assert_eq!(r.steps[0].line, 14);
}

#[test]
fn a_play_names_the_examples_that_it_shows() {
    let found = read(&requirement("examples: 25, 27-29\ncast: romeo\nromeo receives nothing\n")).expect("no mistakes");
    assert_eq!(found[0].examples, [25, 27, 28, 29]);
    let (line, _, what) = fault(&requirement("examples: 25, many\ncast: romeo\nromeo receives nothing\n"));
    assert_eq!((line, what.as_str()), (10, "' many' is no number of an example"));
}

#[test]
fn a_table_makes_a_requirement_of_each_row() {
    let found = read(&requirement(
        "table:\n\tNAME | BODY\n\tfirst | <a/>\n\tsecond |\ncast: romeo\nromeo sends:\n\t<message id=\"$NAME\">$BODY</message>\n",
    ))
    .expect("no mistakes");
    let ids: Vec<&str> = found.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["r-first", "r-second"]);
    let StepKind::Send(_, elements) = &found[0].steps[0].kind else { panic!("a send step") };
    assert_eq!(elements[0].attr("id"), Some("first"));
    assert_eq!(elements[0].elements().count(), 1);
}

#[test]
fn scenes_and_repetitions_are_expanded() {
    let text = requirement("cast: romeo\nrepeat 3 times:\n\tromeo greets x$I\n")
        + "\nscene: WHO greets WHOM\n\t$WHO sends:\n\t\t<message to=\"$WHOM\"/>\n";
    let found = read(&text).expect("no mistakes");
    let to: Vec<String> = found[0]
        .steps
        .iter()
        .map(|step| match &step.kind {
            StepKind::Send(_, elements) => elements[0].attr("to").unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(to, ["x1", "x2", "x3"]);
}

#[test]
fn mistakes_have_file_line_and_column() {
    let (line, column, what) = fault(&requirement("cast: romeo\nromeo sends:\n\t<message><body></message>\n"));
    assert_eq!((line, column), (12, 17), "{what}");
    assert!(what.contains("closes <body>"), "{what}");

    let (line, column, what) = fault(&requirement("cast: romeo\nromeo sends:\n\t<message to=\"${tybalt}\"/>\n"));
    assert_eq!((line, column), (12, 15), "{what}");

    let (line, _, what) = fault(&requirement("cast: romeo\nromeo dances\n"));
    assert_eq!(line, 11);
    assert!(what.contains("'dances' is not a step"), "{what}");

    let (line, _, what) = fault(&requirement("cast: romeo\ntybalt sends:\n\t<message/>\n"));
    assert_eq!(line, 11);
    assert!(what.contains("tybalt"), "{what}");

    let (_, _, what) = fault(&requirement("cast: romeo\nromeo receives:\n\t<message to=\"{whatever}\"/>\n"));
    assert!(what.contains("is not a matcher"), "{what}");

    let (line, _, what) = fault(&requirement("cast: romeo\nromeo sends raw:\n\tabc\\q\n"));
    assert_eq!(line, 12);
    assert!(what.contains("escape"), "{what}");

    let (line, _, _) = fault(&requirement("cast: romeo\nromeo sends:\nromeo forgets\n"));
    assert_eq!(line, 11);
}

#[test]
fn what_is_missing_is_named() {
    let without = |key: &str| {
        let text: String = requirement("cast: romeo\nromeo forgets\n")
            .lines()
            .filter(|l| !l.starts_with(key))
            .map(|l| format!("{l}\n"))
            .collect();
        fault(&text).2
    };
    for key in ["section", "level", "title: t", "says"] {
        assert!(without(key).contains(key.trim_end_matches(": t")), "{key}");
    }
    assert!(fault(&requirement("cast: romeo\n")).2.contains("no steps"));
}

#[test]
fn an_id_stands_only_once() {
    let twice = requirement(
        "cast: romeo\nromeo forgets\n\nrequirement: r\nsection: 1\nlevel: MAY\ntitle: t\nsays: s\ncast: a\na forgets\n",
    );
    assert!(fault(&twice).2.contains("already"));
}

#[test]
fn every_play_that_is_built_in_can_be_read() {
    let library = Library::embedded().unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(library.requirements.len() > 150);
    for requirement in &library.requirements {
        let folder: String = requirement.spec.name.chars().filter(char::is_ascii_alphanumeric).collect();
        assert_eq!(folder.to_lowercase(), requirement.spec.folder, "{}", requirement.id);
    }
}

#[test]
fn an_absent_feature_can_be_a_need_and_questions_can_be_answered() {
    let found = read(&requirement(
        "needs: no feature urn:x on pubsub\ncast: romeo\nromeo answers questions with:\n\t<query xmlns=\"urn:x\"/>\n",
    ))
    .expect("no mistakes");
    assert!(matches!(&found[0].needs[0].any_of[0], Condition::NoFeature { var, at: Place::Pubsub } if var == "urn:x"));
    assert!(
        matches!(&found[0].steps[0].kind, StepKind::AnswerWith(actor, payload) if actor == "romeo" && payload.name == "query")
    );
    let (_, _, what) = fault(&requirement("cast: romeo\nromeo answers questions with:\n\t<a/>\n\t<b/>\n"));
    assert_eq!(what, "one element is the answer");
}

#[test]
fn an_account_that_only_a_scene_speaks_of_is_needed() {
    let text = requirement("cast: romeo secured, juliet secured\nromeo shows\n")
        + "\nscene: WHO shows\n\t$WHO sends:\n\t\t<a>${$WHO.password}</a>\n";
    let found = read(&text).expect("no mistakes");
    assert!(found[0].needs_account("romeo") && !found[0].needs_account("juliet"));
}

#[test]
fn other_servers_are_cast_without_accounts() {
    let found = read(&requirement(
        "cast: verona remote, mantua remote registered, verona/out outgoing, verona/raw outgoing raw\n\
         verona answers verify with invalid\nverona/out sends:\n\t<db:result from=\"${verona}\">${verona.stream}</db:result>\n\
         verona receives:\n\t<message/>\n",
    ))
    .expect("no mistakes");
    let cast: Vec<(Role, Stage)> = found[0].cast.iter().map(|actor| (actor.role, actor.stage)).collect();
    let wanted = [
        (Role::Remote, Stage::Available),
        (Role::Remote, Stage::Registered),
        (Role::Outgoing, Stage::Secured),
        (Role::Outgoing, Stage::Raw),
    ];
    assert_eq!(cast, wanted);
    assert!(!found[0].needs_account("verona"));
    assert!(
        matches!(&found[0].steps[0].kind, StepKind::Answers(who, what, Verdict::Invalid) if who == "verona" && what == "verify")
    );
    let StepKind::Send(_, elements) = &found[0].steps[1].kind else { panic!("a send step") };
    assert_eq!(elements[0].ns, "jabber:server:dialback");
    let StepKind::Receive(_, _, patterns) = &found[0].steps[2].kind else { panic!("a receive step") };
    assert_eq!(patterns[0].name(), Some(("jabber:server", "message")));
    let (_, _, what) = fault(&requirement("cast: verona remote\nverona answers verify with perhaps\n"));
    assert!(what.contains("valid|invalid"), "{what}");
}

#[test]
fn other_servers_show_certificates_offer_features_and_speak_back() {
    let found = read(&requirement(
        "cast: verona remote registered by direct-tls, verona/out outgoing raw\n\
         verona/out shows an expired certificate for \"${verona}\" and \"else.example\"\n\
         verona offers:\n\t<bidi xmlns=\"urn:xmpp:features:bidi\"/>\n\
         verona sends back:\n\t<message/>\nverona hangs up\n",
    ))
    .expect("no mistakes");
    let ways: Vec<_> = found[0].cast.iter().map(|actor| actor.way.as_deref()).collect();
    assert_eq!(ways, [Some("direct-tls"), None]);
    let kinds: Vec<&StepKind> = found[0].steps.iter().map(|step| &step.kind).collect();
    assert!(matches!(kinds[0], StepKind::Shows(who, Worth::Expired, names) if who == "verona/out" && names.len() == 2));
    assert!(matches!(kinds[1], StepKind::Offers(_, features) if features[0].ns == "urn:xmpp:features:bidi"));
    assert!(matches!(kinds[2], StepKind::SendBack(_, elements) if elements[0].ns == "jabber:server"));
    assert!(matches!(kinds[3], StepKind::HangUp(who) if who == "verona"));
    let (_, _, what) =
        fault(&requirement("cast: verona/out outgoing\nverona/out shows a pretty certificate for \"a\"\n"));
    assert!(what.contains("self-signed"), "{what}");
}

#[test]
fn http_steps_have_one_body() {
    let found = read(&requirement(
        "cast: romeo\nhttp post \"${bosh}\" in the background:\n\t<body xmlns=\"urn:x\"/>\nhttp comes\n\
         http answers:\n\t<body xmlns=\"urn:x\" sid=\"{save sid}\"/>\n\
         http refuses with item-not-found or 404\nhttp get \"${sid}\"\nhttp header Content-Type is \"{starts text}\"\n\
         http answers json:\n\t{\"links\": [{\"rel\": \"{some}\"}]}\n",
    ))
    .expect("no mistakes");
    let kinds = found[0].steps.iter().map(|step| match &step.kind {
        StepKind::Http(http) => http,
        other => panic!("{other:?}"),
    });
    let kinds: Vec<&HttpStep> = kinds.collect();
    let HttpStep::Request(post) = kinds[0] else { panic!("a request") };
    assert!(post.method == "POST" && post.background);
    assert!(matches!(&post.body, HttpBody::Xml(body) if body.ns == "urn:x"));
    assert!(matches!(kinds[1], HttpStep::Comes));
    assert!(matches!(kinds[2], HttpStep::Answers(_)));
    assert!(matches!(kinds[3], HttpStep::Refuses(words) if *words == ["item-not-found", "404"]));
    let HttpStep::Request(get) = kinds[4] else { panic!("a request") };
    assert!(matches!(get.body, HttpBody::None) && !get.background);
    assert!(matches!(kinds[5], HttpStep::Header(name, _) if name == "content-type"));
    assert!(matches!(kinds[6], HttpStep::AnswersJson(_)));
    assert!(read(&requirement("cast: romeo\nhttp post \"u\" with \"x\":\n\t<a/>\n")).is_err());
    let (_, _, what) = fault(&requirement("cast: romeo\nhttp answers json:\n\t{\"a\": }\n"));
    assert!(what.contains("not JSON"), "{what}");
}

#[test]
fn a_login_can_be_bound() {
    let found = read(&requirement(
        "cast: romeo secured\nromeo fails to authenticate with SCRAM-SHA-1-PLUS bound to wrong tls-exporter using password \"x\"\n\
         romeo authenticates\n",
    ))
    .expect("no mistakes");
    let StepKind::FailToAuthenticate(_, credentials) = &found[0].steps[0].kind else { panic!("a failing login") };
    assert_eq!(credentials.mechanism.as_deref(), Some("SCRAM-SHA-1-PLUS"));
    assert_eq!(credentials.binding.as_deref(), Some("wrong tls-exporter"));
    assert!(credentials.password.is_some());
    assert!(read(&requirement("cast: romeo\nromeo authenticates bound to nothing\n")).is_err());
}
