//! A name server with the one zone `example.`, signed: dnsmasq knows no signatures.

use hickory_resolver::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_resolver::proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_resolver::proto::dnssec::{DnssecSigner, SigningKey};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV, TLSA, tlsa};
use hickory_resolver::proto::rr::{DNSClass, Name, RData, Record, RecordSet, RecordType};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// The zone, while it is being written.
pub struct Zone {
    key: Ed25519SigningKey,
    /// Signatures are made with this one.
    signing: Ed25519SigningKey,
    sets: HashMap<(Name, RecordType), RecordSet>,
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

fn key() -> Ed25519SigningKey {
    Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap()
}

impl Zone {
    pub fn new() -> Zone {
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let key = || Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        Zone { key: key(), signing: key(), sets: HashMap::new() }
    }

    /// A zone whose signatures are not by its key.
    pub fn forged() -> Zone {
        Zone { signing: key(), ..Zone::new() }
    }

    /// The server of a domain: its SRV record, and the address of the host in it.
    pub fn server(&mut self, domain: &str, host: &str, address: IpAddr) {
        let IpAddr::V4(v4) = address else { panic!("IPv4 only") };
        self.add(&format!("_xmpp-server._tcp.{domain}"), RData::SRV(SRV::new(10, 5, 5269, name(host))));
        self.add(host, RData::A(A(v4)));
    }

    /// A TLSA record for port 5269 of a host, as numbers and data.
    pub fn tlsa(&mut self, host: &str, [usage, selector, matching]: [u8; 3], data: Vec<u8>) {
        let record = TLSA::new(
            tlsa::CertUsage::from(usage),
            tlsa::Selector::from(selector),
            tlsa::Matching::from(matching),
            data,
        );
        self.add(&format!("_5269._tcp.{host}"), RData::TLSA(record));
    }

    fn add(&mut self, at: &str, data: RData) {
        let (at, kind) = (name(at), data.record_type());
        let set = self.sets.entry((at.clone(), kind)).or_insert_with(|| RecordSet::with_ttl(at, kind, 300));
        set.insert(Record::from_rdata(set.name().clone(), 300, data), 0);
    }

    /// Serves the zone on port 5353 of an address until the process ends. Returns the file of its key, for resolvers.
    pub fn serve(mut self, at: IpAddr, dir: &Path) -> PathBuf {
        let public = self.key.to_public_key().unwrap();
        let dnskey = DNSKEY::with_flags(0x101, public);
        let anchor = dir.join("anchors");
        let text = format!("example. IN DNSKEY {dnskey}\n");
        std::fs::write(&anchor, text).unwrap();
        self.add("example", RData::DNSSEC(DNSSECRData::DNSKEY(dnskey.clone())));
        let signer = DnssecSigner::new(dnskey, Box::new(self.signing), name("example"), Duration::from_secs(86_400));
        let sign = |set: &RecordSet| {
            let yesterday = OffsetDateTime::now_utc() - Duration::from_secs(3_600);
            let signature = RRSIG::from_rrset(set, DNSClass::IN, yesterday, &signer).unwrap();
            let signature = Record::from_rdata(set.name().clone(), 300, RData::DNSSEC(DNSSECRData::RRSIG(signature)));
            set.records_without_rrsigs().cloned().chain([signature]).collect::<Vec<_>>()
        };
        let signed: HashMap<_, _> = self.sets.iter().map(|(at, set)| (at.clone(), sign(set))).collect();
        let socket = UdpSocket::bind(SocketAddr::new(at, 5353)).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
                let _ = socket.send_to(&answer(&question, &signed), from);
            }
        });
        anchor
    }
}

fn answer(question: &Message, signed: &HashMap<(Name, RecordType), Vec<Record>>) -> Vec<u8> {
    let query = question.queries[0].clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_available = true;
    answer.metadata.recursion_desired = true;
    // Resolvers may spell names with capitals here and there, and want them back so.
    let plain = query.name().to_lowercase();
    match signed.get(&(plain, query.query_type())) {
        Some(records) => {
            answer.add_answers(records.iter().cloned().map(|mut record| {
                record.name = query.name().clone();
                record
            }));
        }
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer.add_query(query);
    answer.to_vec().unwrap()
}
