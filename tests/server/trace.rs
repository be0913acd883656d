//! No acknowledgement leaves before what it acknowledges is on the disk, as the kernel sees it.
//!
//! `kill -9` cannot show this, for what was written and not synced outlives the process. So the server runs under `strace`,
//! and its system calls are read: between the arrival of a request and the departure of its answer the data files must have
//! been written and then, by `fdatasync` or `fsync` that has come back, put on the disk. The client speaks without TLS, so
//! that requests and answers can be seen, and sends one request at a time, so that nothing else can have caused the sync.

use crate::support::{Client, Server, login::error_condition, skip, user};
use std::fs;
use std::process::Command;

const UNENCRYPTED: &str = "default_host.require_tls = false\nlog.level = 'info'";
const ROUNDS: usize = 20;

#[test]
fn an_answer_leaves_when_its_data_are_on_the_disk() {
    if Command::new("strace").args(["-f", "-e", "trace=none", "true"]).output().is_err() {
        return skip("there is no strace");
    }
    let dir = tempfile::TempDir::with_prefix("oriole-trace-").unwrap();
    let file = dir.path().join("calls");
    let calls =
        "trace=fdatasync,fsync,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,recvfrom,recvmsg,read,readv";
    let options = ["-f", "-y", "-s", "100000", "-e", calls, "-o", file.to_str().unwrap()];
    let mut server = Server::run_by(&[&["strace"][..], &options].concat(), UNENCRYPTED);
    server.add_user("juliet");
    server.add_user("romeo");
    let mut juliet = server.connect();
    juliet.log_in_unencrypted("juliet", "balcony");
    for round in 0..ROUNDS {
        change_roster(&mut juliet, round);
        write_to_romeo(&mut juliet, round);
    }
    juliet.send("<enable xmlns='urn:xmpp:sm:3'/>");
    juliet.find(|element| element.name() == "enabled");
    for round in 1..=ROUNDS {
        count_to_romeo(&mut juliet, round);
    }
    register(&mut server.connect());
    juliet.leave();
    server.sigterm();
    server.wait();

    let calls = parse(&fs::read_to_string(&file).unwrap());
    for round in 0..ROUNDS {
        for marker in ["roster", "message"] {
            let marker = format!("{marker}-{round}-");
            judge(&calls, &format!("{marker}sent"), &format!("{marker}asked")).unwrap();
        }
    }
    for round in 1..=ROUNDS {
        judge(&calls, &format!("counted-{round}-sent"), &format!("<a xmlns='urn:xmpp:sm:3' h='{round}'/>")).unwrap();
    }
    judge(&calls, "<username>nurse</username>", "register-asked").unwrap();
}

/// Both the request and the answer carry the id; the request alone carries the name.
fn change_roster(juliet: &mut Client, round: usize) {
    let item = format!("<item jid='nurse{}@capulet.example' name='roster-{round}-sent'/>", round % 7);
    juliet
        .send(format!("<iq type='set' id='roster-{round}-asked'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
    answered(juliet, &format!("roster-{round}-asked"));
}

fn write_to_romeo(juliet: &mut Client, round: usize) {
    juliet.send(format!(
        "<message to='{}' type='chat'><body>message-{round}-sent</body></message>\
         <iq type='get' id='message-{round}-asked'><ping xmlns='urn:xmpp:ping'/></iq>",
        user("romeo")
    ));
    answered(juliet, &format!("message-{round}-asked"));
}

/// XEP-0198: the server says how many stanzas it has taken over.
fn count_to_romeo(juliet: &mut Client, round: usize) {
    juliet.send(format!(
        "<message to='{}' type='chat'><body>counted-{round}-sent</body></message><r xmlns='urn:xmpp:sm:3'/>",
        user("romeo")
    ));
    let answer = juliet.find(|element| element.is("a", "urn:xmpp:sm:3"));
    assert_eq!(answer.attr("h"), Some(round.to_string().as_str()));
}

fn register(client: &mut Client) {
    client.open();
    client.send(
        "<iq type='set' id='register-asked'><query xmlns='jabber:iq:register'><username>nurse</username>\
         <password>secret</password></query></iq>",
    );
    answered(client, "register-asked");
}

fn answered(client: &mut Client, id: &str) {
    let answer = client.find(|element| element.name() == "iq" && element.attr("id") == Some(id));
    assert_eq!(error_condition(&answer), None, "{answer:?}");
}

/// A system call that has come back.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    /// Bytes from a socket.
    Received(String),
    /// Bytes to a socket. What counts is when the call begins: the bytes may leave from then on.
    Sent(String),
    /// Bytes into a file.
    Written,
    SyncBegun(Thread),
    SyncDone(Thread),
}

type Thread = u32;

/// Reads the lines that `strace -f -y` writes: `PID name(FD<what it is>, arguments) = result`, where a call during which
/// another thread did something is written as `name(arguments <unfinished ...>` and `<... name resumed>rest`.
fn parse(trace: &str) -> Vec<Call> {
    let mut unfinished: std::collections::HashMap<Thread, String> = Default::default();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (Ok(thread), rest) = (thread.parse(), rest.trim_start()) else { continue };
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            calls.extend(at_begin(thread, begun));
            unfinished.insert(thread, begun.to_owned());
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let begun = unfinished.remove(&thread).unwrap_or_default();
            calls.extend(at_end(thread, &format!("{begun}{end}")));
        } else {
            calls.extend(at_begin(thread, rest));
            calls.extend(at_end(thread, rest));
        }
    }
    calls
}

fn at_begin(thread: Thread, call: &str) -> Option<Call> {
    let (name, arguments) = call.split_once('(')?;
    match name {
        "sendto" | "sendmsg" | "write" | "writev" if is_socket(arguments) => Some(Call::Sent(arguments.to_owned())),
        "fdatasync" | "fsync" => Some(Call::SyncBegun(thread)),
        _ => None,
    }
}

fn at_end(thread: Thread, call: &str) -> Option<Call> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    match name {
        "recvfrom" | "recvmsg" | "read" | "readv" if is_socket(arguments) => Some(Call::Received(arguments.to_owned())),
        "pwrite64" | "pwritev" | "pwritev2" => Some(Call::Written),
        "write" | "writev" if arguments.split_once('<').is_some_and(|(_, what)| what.starts_with('/')) => {
            Some(Call::Written)
        }
        "fdatasync" | "fsync" => Some(Call::SyncDone(thread)),
        _ => None,
    }
}

fn is_socket(arguments: &str) -> bool {
    arguments.split_once('<').is_some_and(|(_, what)| what.starts_with("socket:") || what.starts_with("TCP"))
}

/// Whether the answer with the id `answer` left only after the request that holds `request` was written and synced.
fn judge(calls: &[Call], request: &str, answer: &str) -> Result<(), String> {
    let received = |call: &Call| matches!(call, Call::Received(bytes) if bytes.contains(request));
    let sent = |call: &Call| matches!(call, Call::Sent(bytes) if bytes.contains(answer));
    let from = calls.iter().position(received).ok_or(format!("{request} was never received"))?;
    let to = calls.iter().position(sent).ok_or(format!("{answer} was never sent"))?;
    let between = calls.get(from..to).ok_or(format!("{answer} was sent before {request} was received"))?;
    let mut written = false;
    let mut syncing = Vec::new();
    for call in between {
        match call {
            Call::Written => written = true,
            Call::SyncBegun(thread) if written => syncing.push(thread),
            Call::SyncDone(thread) if syncing.contains(&thread) => return Ok(()),
            _ => {}
        }
    }
    Err(format!("{answer} left before {request} was on the disk: {between:#?}"))
}

#[test]
fn the_judge_is_strict() {
    let received = r#"7 recvfrom(10<socket:[1]>, "<iq id='asked'>sent</iq>", 16384, 0, NULL, NULL) = 23"#;
    let written = r#"8 pwrite64(5</data/db>, "..."..., 512, 0) = 512"#;
    let begun = "8 fdatasync(5</data/db> <unfinished ...>";
    let done = "8 <... fdatasync resumed>)        = 0";
    let failed = "8 <... fdatasync resumed>)        = -1 EIO (Input/output error)";
    let answered = r#"9 sendto(10<socket:[1]>, "<iq id='asked' type='result'/>", 30, MSG_NOSIGNAL, NULL, 0) = 30"#;
    let verdict = |lines: &[&str]| judge(&parse(&lines.join("\n")), "sent", "id='asked' type").is_ok();
    assert!(verdict(&[received, written, begun, done, answered]));
    assert!(!verdict(&[received, written, begun, answered, done]), "answered while the sync was under way");
    assert!(!verdict(&[received, written, answered, begun, done]), "answered before the sync");
    assert!(!verdict(&[received, begun, written, done, answered]), "written after the sync had begun");
    assert!(!verdict(&[received, begun, done, answered]), "nothing was written");
    assert!(!verdict(&[written, begun, done, received, answered]), "synced before it was asked for");
    assert!(!verdict(&[received, written, begun, failed, answered]), "the sync failed");
    assert!(!verdict(&[received, written, begun, done]), "never answered");
}
