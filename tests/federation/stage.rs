//! The stage of the plays: an authority that all servers trust, a loopback address for each server, and the servers.

use crate::support::{Client, PASSWORD, Server, login::error_condition};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use wire::sasl::Mechanism;
use wire::xml::Element;

/// A play's own authority and files.
pub struct Stage {
    pub dir: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A server with a domain, wherever its program is from.
pub struct House {
    pub domain: String,
    /// Where clients connect.
    pub c2s: SocketAddr,
    /// The file of the authority that vouches for it.
    pub ca: PathBuf,
    pub program: Program,
}

/// What runs a house. It ends with this value.
#[allow(dead_code, reason = "held to be dropped")]
pub enum Program {
    Oriole(Server),
    Other(crate::others::Process),
}

/// What a certificate is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Good,
    SelfSigned,
    Expired,
    /// For another name.
    Foreign,
    /// With an SRVName (RFC 4985) and no other name.
    SrvName,
    /// With an XmppAddr (RFC 6120 section 13.7.1.4) and no other name.
    XmppAddr,
}

/// The extension with nothing but an SRVName in it, which rcgen cannot write: SEQUENCE { [0] { OID, [0] { IA5String } } }.
fn srv_name(name: &str) -> CustomExtension {
    let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let oid = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x07];
    let text = wrap(0xa0, &wrap(0x16, name.as_bytes()));
    CustomExtension::from_oid_content(&[2, 5, 29, 17], wrap(0x30, &wrap(0xa0, &[&oid[..], &text].concat())))
}

/// A loopback address that no other play of this process uses, and hardly one of another process.
pub fn address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let [second, third] = [(process / 250 % 64) * 2 + number / 250 % 2, process % 250].map(|part| part as u8);
    IpAddr::V4(Ipv4Addr::new(127, 64 + second, third, 1 + (number % 250) as u8))
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Verona CA");
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    valid(&mut params);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

const DAY: Duration = Duration::from_secs(86_400);

/// From the day before yesterday, for a year: some servers cannot read dates that are far away.
fn valid(params: &mut CertificateParams) {
    let now = SystemTime::now();
    params.not_before = (now - 2 * DAY).into();
    params.not_after = (now + 365 * DAY).into();
}

impl Stage {
    pub fn new() -> Stage {
        let stage = Stage { dir: TempDir::with_prefix("oriole-s2s-").unwrap(), authority: authority() };
        fs::write(stage.ca(), stage.authority.pem()).unwrap();
        stage
    }

    /// The file with the certificate of the authority.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Writes a certificate and its key for a domain and its services, and returns their files.
    pub fn certificate(&self, domain: &str, quality: Quality) -> (PathBuf, PathBuf) {
        let name = if quality == Quality::Foreign { "else.where.example" } else { domain };
        let name = idna::domain_to_ascii(name).unwrap();
        let mut params = CertificateParams::new(vec![name.clone(), format!("*.{name}")]).unwrap();
        match quality {
            Quality::SrvName => {
                params.subject_alt_names.clear();
                params.custom_extensions.push(srv_name(&format!("_xmpp-server.{name}")));
            }
            Quality::XmppAddr => {
                let oid = vec![1, 3, 6, 1, 5, 5, 7, 8, 5];
                params.subject_alt_names = vec![rcgen::SanType::OtherName((oid, domain.into()))];
            }
            _ => {}
        }
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        valid(&mut params);
        if quality == Quality::Expired {
            params.not_after = (SystemTime::now() - DAY).into();
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match quality {
            Quality::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.authority),
        };
        let file = |kind: &str| self.dir.path().join(format!("{domain}.{kind}"));
        fs::write(file("pem"), certificate.unwrap().pem()).unwrap();
        fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("pem"), file("key"))
    }

    /// Starts an Oriole for a domain. `changes` go into its configuration, in TOML.
    pub fn oriole(&self, domain: &str, at: IpAddr, changes: &str) -> House {
        self.oriole_with(domain, at, Quality::Good, changes)
    }

    /// As [`Stage::oriole`], with a certificate that may be bad.
    pub fn oriole_with(&self, domain: &str, at: IpAddr, quality: Quality, changes: &str) -> House {
        let (certificate, key) = self.certificate(domain, quality);
        let listen = match changes.contains("listen.s2s.") {
            true => String::new(),
            false => format!("listen.s2s.addresses = [\"{at}:5269\"]"),
        };
        let config = format!(
            r#"
            hosts."{domain}" = {{ certificate = "{}", key = "{}" }}
            listen.s2s_tls.addresses = ["{at}:5270"]
            listen.https.addresses = []
            federation.ca_file = "{}"
            {listen}
            {changes}
            "#,
            certificate.display(),
            key.display(),
            self.ca().display(),
        );
        let server = Server::configured(&config);
        let ca = if quality == Quality::SelfSigned { certificate } else { self.ca() };
        let c2s = server.c2s();
        House { domain: domain.to_owned(), c2s, ca, program: Program::Oriole(server) }
    }

    /// Verona and Mantua, two Orioles that know where the other one is. `changes` go into the configuration of each.
    pub fn neighbours(&self, quality: Quality, changes: [&str; 2]) -> [House; 2] {
        let [verona, mantua] = ["verona.example", "mantua.example"].map(|domain| (domain, address()));
        let [of_verona, of_mantua] = changes.map(str::to_owned);
        [(verona, of_verona + &routes(&[mantua])), (mantua, of_mantua + &routes(&[verona]))]
            .map(|((domain, at), changes)| self.oriole_with(domain, at, quality, &changes))
    }
}

impl House {
    /// A new account, logged in.
    pub fn user(&self, name: &str) -> Client {
        let mut client = self.secured();
        let fields = format!("<username>{name}</username><password>{PASSWORD}</password>");
        let answer = client.iq("set", None, &format!("<query xmlns='jabber:iq:register'>{fields}</query>"));
        assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
        client.drop_connection();
        self.log_in(name)
    }

    pub fn log_in(&self, name: &str) -> Client {
        let mut client = self.secured();
        client.authenticate(Mechanism::ScramSha1, name, PASSWORD).unwrap();
        client.open();
        client.bind("x").unwrap();
        client
    }

    fn secured(&self) -> Client {
        let mut client = Client::connect(self.c2s, &self.ca).of(&self.domain);
        client.open();
        client.start_tls();
        client.open();
        client
    }

    /// Ends the server at once.
    pub fn fall(&mut self) {
        match &mut self.program {
            Program::Oriole(server) => server.kill9(),
            Program::Other(_) => panic!("this is no Oriole"),
        }
    }

    /// Starts it again.
    pub fn rise(&mut self) {
        let Program::Oriole(server) = &mut self.program else { panic!("this is no Oriole") };
        server.restart();
        self.c2s = server.c2s();
    }

    pub fn oriole(&self) -> &Server {
        match &self.program {
            Program::Oriole(server) => server,
            Program::Other(_) => panic!("this is no Oriole"),
        }
    }
}

/// A line of the configuration: where other houses are.
pub fn routes(houses: &[(&str, IpAddr)]) -> String {
    houses.iter().map(|(domain, at)| format!("federation.routes.\"{domain}\" = \"{at}:5269\"\n")).collect()
}

/// As [`routes`], with TLS from the first byte.
pub fn tls_routes(houses: &[(&str, IpAddr)]) -> String {
    houses.iter().map(|(domain, at)| format!("federation.routes.\"{domain}\" = \"tls:{at}:5270\"\n")).collect()
}

/// One says something to the other, who hears it.
pub fn says(from: &mut Client, to: &mut Client, text: &str) {
    send(from, &to.jid.clone(), text);
    hears(to, text);
}

pub fn send(from: &mut Client, to: &str, text: &str) {
    let id = from.fresh_id();
    from.send(format!("<message type='chat' id='{id}' to='{to}'><body>{text}</body></message>"));
}

/// Waits for a message with that text.
pub fn hears(client: &mut Client, text: &str) -> Element {
    client.find(|element| {
        element.name() == "message" && element.child("body", "jabber:client").is_some_and(|body| body.text() == text)
    })
}

/// Says something that cannot be delivered, and returns the condition that comes back.
pub fn says_in_vain(from: &mut Client, to: &str, text: &str) -> String {
    let id = from.fresh_id();
    from.send(format!("<message type='chat' id='{id}' to='{to}'><body>{text}</body></message>"));
    let error = from.find(|element| element.attr("type") == Some("error") && element.attr("id") == Some(&id));
    assert_eq!(error.attr("from"), Some(to));
    error_condition(&error).unwrap()
}
