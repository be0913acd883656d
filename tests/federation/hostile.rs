//! Servers that want to wear this one out: that ask without end, do not read, dawdle, or send too much. Each is cut off, the
//! log says why, and nobody else is hurt.

use crate::attacks::{EVIL, acquaintance, answer, attribute, header, stream};
use crate::stage::{House, Stage, address, hears, routes, says, send};
use crate::support::{Client, login::error_condition, wait};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Far more than the server needs, and far less than what is thrown at it.
pub const MODEST: u64 = 256 << 20;

/// A stream by which the evil one has proved its domain.
pub fn proved(house: &House, at: IpAddr, evil: &TcpListener) -> Client {
    let (mut client, _) = stream(house, at, EVIL);
    client.send(format!("<db:result from='{EVIL}' to='{}'>some key</db:result>", house.domain));
    let (mut asked, verify) = answer(evil, &house.domain, "verify");
    let id = attribute(&verify, "id");
    let valid = format!("<db:verify from='{EVIL}' to='{}' id='{id}' type='valid'/>", house.domain);
    asked.write_all(valid.as_bytes()).unwrap();
    let verdict = client.find(|element| element.name() == "result");
    assert_eq!(verdict.attr("type"), Some("valid"));
    client
}

/// Still there, and not swollen.
#[track_caller]
fn is_well(house: &House) {
    let resident = house.oriole().resident();
    assert!(resident < MODEST, "{resident} bytes");
    let mut juliet = house.user("juliet");
    assert_eq!(juliet.iq("get", None, "<query xmlns='jabber:iq:roster'/>").attr("type"), Some("result"));
}

#[test]
fn keys_are_verified_for_everyone_and_not_without_end() {
    let stage = Stage::new();
    let at = address();
    let verona = stage.oriole("verona.example", at, "federation.require_tls = false\n");
    let verify = format!("<db:verify from='{EVIL}' to='verona.example' id='1'>made up</db:verify>");
    let (mut curious, _) = stream(&verona, at, EVIL);
    curious.send(verify.repeat(500));
    for _ in 0..500 {
        let verdict = curious.next().element();
        assert_eq!((verdict.name(), verdict.attr("type")), ("verify", Some("invalid")), "{verdict:?}");
    }
    // One that never reads its answers.
    let mut flood = TcpStream::connect(SocketAddr::new(at, 5269)).unwrap();
    flood.write_all(header(EVIL, "verona.example", "").as_bytes()).unwrap();
    let many = verify.repeat(500);
    let cut_off = wait::until(|| flood.write_all(many.as_bytes()).is_err().then_some(()));
    cut_off.expect("the flood is not cut off");
    verona.oriole().log().wait_for("asks and asks and does not read the answers").expect("the log says why");
    is_well(&verona);
}

#[test]
fn a_domain_has_so_many_streams_and_others_are_not_hurt() {
    let stage = Stage::new();
    let at = address();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let known = acquaintance(evil.local_addr().unwrap());
    let other = known.replace(EVIL, "other.example");
    let limits = "federation.limits.connections = 2\nfederation.require_tls = false\n";
    let verona = stage.oriole("verona.example", at, &(known + &other + limits));
    let _held = [proved(&verona, at, &evil), proved(&verona, at, &evil)];
    for (from, told) in [(EVIL, Some("resource-constraint")), ("other.example", None)] {
        let (mut client, _) = stream(&verona, at, from);
        client.send(format!("<db:result from='{from}' to='verona.example'>some key</db:result>"));
        let (mut asked, verify) = answer(&evil, "verona.example", "verify");
        let id = attribute(&verify, "id");
        let valid = format!("<db:verify from='{from}' to='verona.example' id='{id}' type='valid'/>");
        asked.write_all(valid.as_bytes()).unwrap();
        let verdict = client.find(|element| element.name() == "result");
        assert_eq!(error_condition(&verdict).as_deref(), told, "{verdict:?}");
    }
}

#[test]
fn a_server_that_never_reads_is_given_up() {
    let stage = Stage::new();
    let [at, mantua_at] = [address(), address()];
    // Little fits into its socket.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(8).unwrap();
    let evil = TcpListener::from(socket);
    let changes = acquaintance(evil.local_addr().unwrap())
        + "federation.timeouts.deliver = '2s'\n"
        + &routes(&[("mantua.example", mantua_at)]);
    let verona = stage.oriole("verona.example", at, &changes);
    let mantua = stage.oriole("mantua.example", mantua_at, &routes(&[("verona.example", at)]));
    let (mut juliet, mut romeo) = (verona.user("juliet"), mantua.user("romeo"));
    send(&mut juliet, &format!("tybalt@{EVIL}"), "the first");
    let (mut deaf, _) = answer(&evil, "verona.example", "result");
    deaf.write_all(format!("<db:result from='{EVIL}' to='verona.example' type='valid'/>").as_bytes()).unwrap();
    let long = "a".repeat(100_000);
    for _ in 0..120 {
        send(&mut juliet, &format!("tybalt@{EVIL}"), &long);
    }
    says(&mut juliet, &mut romeo, "thou art not held up");
    let lost = |element: &wire::xml::Element| {
        element.attr("type") == Some("error") && error_condition(element).as_deref() == Some("remote-server-timeout")
    };
    juliet.find(lost);
    verona.oriole().log().wait_for("the peer reads nothing: the connection is given up").expect("the log says why");
    assert!(verona.oriole().resident() < MODEST);
}

#[test]
fn a_server_that_dawdles_is_given_up() {
    let stage = Stage::new();
    let at = address();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let changes = acquaintance(evil.local_addr().unwrap()) + "federation.timeouts.negotiate = '2s'\n";
    let verona = stage.oriole("verona.example", at, &(changes + "federation.timeouts.deliver = '5s'\n"));
    // Each byte is an answer, and none of them is enough.
    let drip = |mut socket: TcpStream| {
        for octet in header(EVIL, "verona.example", "id='1'").bytes() {
            if socket.write_all(&[octet]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    std::thread::spawn(move || {
        for socket in evil.incoming() {
            let socket = socket.unwrap();
            std::thread::spawn(move || drip(socket));
        }
    });
    let mut juliet = verona.user("juliet");
    send(&mut juliet, &format!("tybalt@{EVIL}"), "hurry");
    let error = juliet.find(|element| element.attr("type") == Some("error"));
    assert_eq!(error_condition(&error).as_deref(), Some("remote-server-timeout"));
    verona.oriole().log().wait_for("negotiation took too long").expect("the log says why");

    let mut incoming = TcpStream::connect(SocketAddr::new(at, 5269)).unwrap();
    let reader = incoming.try_clone().unwrap();
    std::thread::spawn(move || drip(reader));
    incoming.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    let mut said = Vec::new();
    let _ = incoming.read_to_end(&mut said);
    assert!(String::from_utf8_lossy(&said).contains("connection-timeout"), "{}", String::from_utf8_lossy(&said));
    verona.oriole().log().wait_for("ConnectionTimeout").expect("the log says why");
}

#[test]
fn a_stanza_of_a_hundred_megabytes_is_cut_off() {
    let stage = Stage::new();
    let at = address();
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    let verona = stage.oriole("verona.example", at, &acquaintance(evil.local_addr().unwrap()));
    let mut big = proved(&verona, at, &evil);
    big.send(format!("<message from='tybalt@{EVIL}' to='juliet@verona.example'><body>"));
    let part = "a".repeat(100_000);
    let cut_off = (0..1000).find(|_| big.try_send(&part).is_err());
    assert!(cut_off.is_some(), "a hundred megabytes are taken");
    verona.oriole().log().wait_for("PolicyViolation").expect("the log says why");
    is_well(&verona);

    // Before anything is proved, a few kilobytes are too much.
    let mut early = TcpStream::connect(SocketAddr::new(at, 5269)).unwrap();
    early.write_all((header(EVIL, "verona.example", "") + "<db:result from='").as_bytes()).unwrap();
    let cut_off = (0..1000).find(|_| early.write_all(part.as_bytes()).is_err());
    assert!(cut_off.is_some(), "a hundred megabytes are taken");
    is_well_again(&verona);
}

fn is_well_again(house: &House) {
    assert!(house.oriole().resident() < MODEST);
    let mut juliet = house.log_in("juliet");
    juliet.send("<presence/>");
    let to = juliet.jid.clone();
    send(&mut juliet, &to, "to myself");
    hears(&mut juliet, "to myself");
}
