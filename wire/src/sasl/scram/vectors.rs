//! Whole conversations with fixed nonces, octet by octet: the examples of RFC 5802 section 5 and RFC 7677 section 3, and two with SHA-512, which
//! no RFC has, calculated with Python's `hashlib` by a script that also reproduces the RFCs' examples.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::server::{Server, Variant};
use crate::sasl::exchange::{Machine, NONCE_LEN};
use crate::sasl::{ChannelBindings, Context, Decoys, Hash, Identity, Iterations, Principal, Step, StoredKeys};

struct Conversation {
    hash: Hash,
    user: &'static str,
    password: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    iterations: u32,
    bindings: ChannelBindings,
    client_first: &'static str,
    server_first: &'static str,
    client_final: &'static str,
    server_final: &'static str,
}

impl Conversation {
    fn play(self) {
        let variant = if self.bindings.is_empty() { Variant::Plain } else { Variant::Plus };
        let context = Context {
            bindings: self.bindings,
            offered: &[],
            protected: &[],
            certificate_identities: Vec::new(),
            nonce: [0; NONCE_LEN],
            host: "example.com",
            decoys: Arc::new(Decoys::new([0; 32], Iterations::default())),
        };
        let mut server = Server::with_nonce(self.hash, variant, context, self.server_nonce.into());

        let step = server.respond(self.client_first.as_bytes()).unwrap();
        assert!(matches!(step, Step::NeedKeys { username, hash } if username == self.user && hash == self.hash));

        let salt = BASE64.decode(self.salt).unwrap();
        let keys = StoredKeys::derive(self.hash, self.password, &salt, self.iterations).unwrap();
        let Step::Challenge(challenge) = server.keys(Some(keys)).unwrap() else { panic!("no challenge") };
        assert_eq!(str::from_utf8(&challenge).unwrap(), self.server_first);

        let Step::Success(identity) = server.respond(self.client_final.as_bytes()).unwrap() else {
            panic!("no success")
        };
        let expected = Identity {
            principal: Principal::User(self.user.into()),
            authzid: None,
            additional_data: Some(self.server_final.into()),
            token: None,
        };
        assert_eq!(identity, expected);
    }
}

#[test]
fn rfc_5802_section_5() {
    Conversation {
        hash: Hash::Sha1,
        user: "user",
        password: "pencil",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        iterations: 4096,
        bindings: ChannelBindings::default(),
        client_first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    }
    .play();
}

#[test]
fn rfc_7677_section_3() {
    Conversation {
        hash: Hash::Sha256,
        user: "user",
        password: "pencil",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        iterations: 4096,
        bindings: ChannelBindings::default(),
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    }
    .play();
}

#[test]
fn sha_512() {
    Conversation {
        hash: Hash::Sha512,
        user: "user",
        password: "pencil",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        iterations: 4096,
        bindings: ChannelBindings::default(),
        client_first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
        server_final: "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
    }
    .play();
}

#[test]
fn sha_512_bound_to_the_server_end_point() {
    Conversation {
        hash: Hash::Sha512,
        user: "romeo",
        password: "R0m30&Jul13t",
        server_nonce: "e124695b-69a9-4de6-9c30-b51b3808c59e",
        salt: "NmYzMWRjZGYtOTA5ZC00",
        iterations: 5000,
        bindings: ChannelBindings { exporter: None, server_end_point: Some((0..32).collect()) },
        client_first: "p=tls-server-end-point,,n=romeo,r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA",
        server_first: "r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,s=NmYzMWRjZGYtOTA5ZC00,i=5000",
        client_final: "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,\
                       r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AAe124695b-69a9-4de6-9c30-b51b3808c59e,\
                       p=iEUH9ZYfoY6BvfBNIOIPHQmZ2JgIWx2xfnT8c0RpB23lY/3P88ApChEGVNayHEbEHukYaXSzpg7lkGbUsBV2mQ==",
        server_final: "v=eDYwn1L/1NIqOKNkPAPx21xCLQVSITe5b0XqoUoVI2TLDy1yYVJ1j3+XyU9gDn9tFHuk1hjg3MjoHXGWfhN3MA==",
    }
    .play();
}
