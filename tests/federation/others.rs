//! Other servers, as plain child processes: Prosody, ejabberd, and the name server that leads them.

use crate::stage::{House, Program, Quality, Stage};
use crate::support::{log::Log, wait};
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A process that ends with this value.
pub struct Process {
    child: Child,
    log: Log,
    /// Where it writes what it has to say, besides standard error.
    files: Vec<PathBuf>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Process {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        Process { child, log, files: Vec::new() }
    }

    /// Waits until it takes connections there.
    pub fn wait_for_port(&mut self, address: SocketAddr) {
        let answers = || match (TcpStream::connect(address), self.child.try_wait().unwrap()) {
            (Ok(_), _) => Some(true),
            (Err(_), Some(_)) => Some(false),
            (Err(_), None) => None,
        };
        assert_eq!(wait::until(answers), Some(true), "the other server does not come up: {:?}", self.log.lines());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("The other server said:\n{}", self.log.lines().join("\n"));
            for file in &self.files {
                eprintln!("{}", fs::read_to_string(file).unwrap_or_default());
            }
        }
    }
}

/// Whether these programs are installed.
pub fn installed(programs: &[&str]) -> bool {
    let found = |program: &&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|dir| dir.join(program).exists())
    };
    programs.iter().all(found)
}

/// A name server on port 5353 of an address of its own. It knows where each of `houses` is; that of `local` is on a port of
/// `localhost`, a name that is known everywhere: ejabberd asks the system for addresses.
pub fn name_server(at: IpAddr, local: (&str, u16), houses: &[(&str, IpAddr)]) -> Process {
    let mut records = vec![
        "--host-record=localhost,127.0.0.1".to_owned(),
        format!("--srv-host=_xmpp-server._tcp.{},localhost,{},10,5", local.0, local.1),
    ];
    for (domain, address) in houses {
        records.push(format!("--host-record=xmpp.{domain},{address}"));
        records.push(format!("--srv-host=_xmpp-server._tcp.{domain},xmpp.{domain},5269,10,5"));
    }
    names(at, &records)
}

/// A name server with these records, as options of dnsmasq.
pub fn names(at: IpAddr, records: &[String]) -> Process {
    let mut command = Command::new("dnsmasq");
    command.args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"]);
    command.args(["--bind-interfaces", "--port=5353", "--pid-file="]).arg(format!("--listen-address={at}"));
    command.args(["--local=/example/", "--log-facility=-", "--log-queries"]).args(records);
    let mut process = Process::spawn(&mut command);
    process.wait_for_port(SocketAddr::new(at, 5353));
    process
}

/// What another server demands of its peers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Demands {
    /// Certificates that can be verified.
    Certificates,
    /// Nothing but dialback.
    Dialback,
}

impl Stage {
    /// Starts a Prosody for a domain, which finds others by that name server.
    pub fn prosody(&self, domain: &str, at: IpAddr, dns: IpAddr, demands: Demands, modules: &str) -> House {
        self.prosody_of(&[domain], at, dns, demands, modules)
    }

    /// As [`Stage::prosody`], for several domains; the house is that of the first.
    pub fn prosody_of(&self, domains: &[&str], at: IpAddr, dns: IpAddr, demands: Demands, modules: &str) -> House {
        let [domain, more @ ..] = domains else { panic!("no domain") };
        let quality = if demands == Demands::Certificates { Quality::Good } else { Quality::SelfSigned };
        let (certificate, key) = self.certificate(domain, quality);
        let host = |domain: &&str| {
            let (certificate, key) = self.certificate(domain, quality);
            let (certificate, key) = (certificate.display(), key.display());
            format!("VirtualHost \"{domain}\"\nssl = {{ key = \"{key}\"; certificate = \"{certificate}\"; }}\n")
        };
        let more: String = more.iter().map(host).collect();
        let dir = self.dir.path().join(format!("prosody-{domain}"));
        fs::create_dir(&dir).unwrap();
        let secure = demands == Demands::Certificates;
        let config = format!(
            r#"
            daemonize = false
            run_as_root = true
            interfaces = {{ "{at}" }}
            s2s_direct_tls_ports = {{ 5270 }}
            data_path = "{dir}"
            pidfile = "{dir}/prosody.pid"
            plugin_paths = {{ }}
            modules_enabled = {{ "disco"; "roster"; "saslauth"; "tls"; "dialback"; "s2s"; "vcard"; "ping"; "register"; "posix"; {modules} }}
            allow_registration = true
            authentication = "internal_plain"
            s2s_require_encryption = true
            s2s_secure_auth = {secure}
            unbound = {{ resolvconf = false; hoststxt = false; forward = "{dns}@5353"; options = {{ ["do-not-query-localhost:"] = "no"; }}; }}
            log = {{ debug = "/dev/stderr" }}
            ssl = {{ key = "{key}"; certificate = "{certificate}"; cafile = "{ca}"; }}
            VirtualHost "{domain}"
            Component "conference.{domain}" "muc"
            Component "pubsub.{domain}" "pubsub"
            admins = {{ "romeo@{domain}" }}
            {more}
            "#,
            dir = dir.display(),
            key = key.display(),
            certificate = certificate.display(),
            ca = self.ca().display(),
        );
        fs::write(dir.join("prosody.cfg.lua"), config).unwrap();
        let mut process = Process::spawn(Command::new("prosody").arg("--config").arg(dir.join("prosody.cfg.lua")));
        let (c2s, s2s) = (SocketAddr::new(at, 5222), SocketAddr::new(at, 5269));
        process.wait_for_port(c2s);
        process.wait_for_port(s2s);
        let ca = if quality == Quality::SelfSigned { certificate } else { self.ca() };
        House { domain: (*domain).to_owned(), c2s, ca, program: Program::Other(process) }
    }

    /// Starts an ejabberd for a domain, which finds others by that name server.
    pub fn ejabberd(&self, domain: &str, at: IpAddr, dns: IpAddr, demands: Demands) -> House {
        self.ejabberd_of(&[domain], at, dns, demands)
    }

    /// As [`Stage::ejabberd`], for several domains; the house is that of the first.
    pub fn ejabberd_of(&self, domains: &[&str], at: IpAddr, dns: IpAddr, demands: Demands) -> House {
        let domain = domains[0];
        let quality = if demands == Demands::Certificates { Quality::Good } else { Quality::SelfSigned };
        let (certificate, key) = self.certificate(domain, quality);
        let dir = self.dir.path().join(format!("ejabberd-{domain}"));
        fs::create_dir_all(dir.join("db")).unwrap();
        let mut files = Vec::new();
        for one in domains {
            let (certificate, key) =
                if *one == domain { (certificate.clone(), key.clone()) } else { self.certificate(one, quality) };
            let both = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&certificate).unwrap();
            let file = dir.join(format!("{one}.pem"));
            fs::write(&file, both).unwrap();
            files.push(format!("\"{}\"", file.display()));
        }
        let (hosts, files) = (format!("\"{}\"", domains.join("\", \"")), files.join(", "));
        // Without its dialback module, certificates are all there is.
        let dialback = if demands == Demands::Dialback { "mod_s2s_dialback: {}" } else { "" };
        let config = format!(
            r#"
loglevel: debug
hosts: [ {hosts} ]
certfiles: [ {files} ]
ca_file: "{ca}"
s2s_use_starttls: required
s2s_cafile: "{ca}"
listen:
  - {{ port: 5222, ip: "{at}", module: ejabberd_c2s, starttls: true }}
  - {{ port: 5269, ip: "{at}", module: ejabberd_s2s_in }}
auth_password_format: plain
registration_timeout: infinity
access_rules: {{ local: {{ allow: all }} }}
modules:
  mod_disco: {{}}
  mod_muc: {{}}
  mod_ping: {{}}
  mod_caps: {{}}
  mod_pubsub: {{ plugins: [ "flat", "pep" ] }}
  mod_register: {{ ip_access: all, password_strength: 0 }}
  mod_roster: {{}}
  mod_vcard: {{ search: false }}
  {dialback}
"#,
            ca = self.ca().display(),
        );
        fs::write(dir.join("ejabberd.yml"), config).unwrap();
        let inetrc = format!(
            "{{lookup, [dns]}}.\n{{resolv_conf, \"\"}}.\n{{hosts_file, \"\"}}.\n{{nameserver, {{{}}}, 5353}}.\n",
            dns.to_string().replace('.', ",")
        );
        fs::write(dir.join("inetrc"), inetrc).unwrap();
        let mut command = Command::new("erl");
        command.current_dir(&dir).env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu").env("HOME", &dir);
        command.env("EJABBERD_CONFIG_PATH", dir.join("ejabberd.yml")).env("EJABBERD_LOG_PATH", dir.join("log"));
        command.env("ERL_CRASH_DUMP_BYTES", "0").env("ERL_INETRC", dir.join("inetrc"));
        command.args([
            "+K",
            "true",
            "-noinput",
            "-mnesia",
            "dir",
            &format!("\"{}/db\"", dir.display()),
            "-s",
            "ejabberd",
        ]);
        let mut process = Process::spawn(&mut command);
        process.files.push(dir.join("log"));
        // Its ports are open before its certificates are loaded.
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(
            wait::until(|| log().contains("is started in the node").then_some(())).is_some(),
            "ejabberd does not start: {}",
            log()
        );
        let (c2s, s2s) = (SocketAddr::new(at, 5222), SocketAddr::new(at, 5269));
        process.wait_for_port(c2s);
        process.wait_for_port(s2s);
        let ca = if quality == Quality::SelfSigned { certificate } else { self.ca() };
        House { domain: domain.to_owned(), c2s, ca, program: Program::Other(process) }
    }
}
