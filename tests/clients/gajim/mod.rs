//! The library of Gajim, nbxmpp: a third one, which logs in by SASL2 (XEP-0388) and takes streams up again; and, with a plug-in of ours,
//! by tokens (XEP-0484).

use crate::support::{DOMAIN, PASSWORD, Server, skip};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn it_logs_in_by_sasl2_resumes_and_reads_its_archive() {
    plays("session.py");
}

#[test]
fn with_a_token_it_is_back_in_one_round_trip() {
    plays("fast.py");
}

fn plays(script: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/gajim/bin/python");
    let works = Command::new(&python).args(["-c", "import nbxmpp.client"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        return skip("there is no nbxmpp in target/gajim (tests/clients/gajim/requirements.txt)");
    }
    let server = Server::start();
    ["juliet", "romeo", "nurse"].into_iter().for_each(|name| server.add_user(name));
    let output = Command::new(&python)
        .arg("-B")
        .arg(root.join("tests/clients/gajim").join(script))
        .env("ORIOLE_DOMAIN", DOMAIN)
        .env("ORIOLE_PASSWORD", PASSWORD)
        .env("ORIOLE_C2S", server.c2s().to_string())
        .env("ORIOLE_CERTIFICATE", server.certificate())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{said}");
}
