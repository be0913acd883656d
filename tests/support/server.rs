//! The server as its users have it: the built program, a configuration file, a directory for data, and ports of its own.

use super::log::Log;
use super::{DOMAIN, PASSWORD, certificate, client::Client, user, wait};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use tempfile::TempDir;
use toml::Table;

/// A running server, or one that was stopped. It ends, and its files go, with this value.
pub struct Server {
    dir: TempDir,
    child: Child,
    log: Log,
}

/// What the tests configure unless they say otherwise: ports that are free, and a certificate that can be verified.
fn defaults(dir: &Path) -> String {
    let (certificate, key) = certificate::make(dir);
    format!(
        r#"
        server.data_dir = "{data}"
        server.threads = 2
        listen.c2s.addresses = ["127.0.0.1:0"]
        listen.c2s_tls.addresses = ["127.0.0.1:0"]
        listen.component.addresses = ["127.0.0.1:0"]
        listen.s2s.addresses = []
        listen.s2s_tls.addresses = []
        listen.https.addresses = ["127.0.0.1:0"]
        listen.http.addresses = ["127.0.0.1:0"]
        listen.metrics.addresses = ["127.0.0.1:0"]
        log.level = "debug"
        limits.address.registrations = "1000000/1h"
        default_host.mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]
        default_host.registration.mode = "open"
        hosts."{DOMAIN}" = {{ certificate = "{certificate}", key = "{key}" }}
        "#,
        data = dir.join("data").display(),
        certificate = certificate.display(),
        key = key.display(),
    )
}

/// The program under test.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriole"));
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server with the configuration of the tests.
    pub fn start() -> Server {
        Server::configured("")
    }

    /// Starts a server with `changes` to the configuration of the tests, in TOML.
    pub fn configured(changes: &str) -> Server {
        Server::run_by(&[], changes)
    }

    /// Starts a server whose program is run by another, such as a tracer: `wrapper` is its command line.
    pub fn run_by(wrapper: &[&str], changes: &str) -> Server {
        let dir = TempDir::with_prefix("oriole-test-").unwrap();
        let mut config: Table = defaults(dir.path()).parse().unwrap();
        merge(&mut config, changes.parse().unwrap());
        fs::write(dir.path().join("oriole.toml"), config.to_string()).unwrap();
        let (child, log) = spawn(wrapper, &dir.path().join("oriole.toml"));
        let server = Server { dir, child, log };
        server.wait_until_serving();
        server
    }

    /// Starts the server again, on the same data. It listens on other ports then.
    pub fn restart(&mut self) {
        self.kill9();
        (self.child, self.log) = spawn(&[], &self.config_file());
        self.wait_until_serving();
    }

    /// Ends the process in the middle of whatever it does.
    pub fn kill9(&mut self) {
        // When it has ended already there is nobody left to signal.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Asks the process to stop; see [`Server::wait`].
    pub fn sigterm(&self) {
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait::until(|| self.child.try_wait().unwrap()).expect("the server does not end")
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Everything the process has said until its end.
    pub fn last_words(&mut self) -> Vec<String> {
        self.log.finish()
    }

    /// Where clients connect that use STARTTLS.
    pub fn c2s(&self) -> SocketAddr {
        self.listening("clients")
    }

    /// Where clients connect that use TLS from the first byte.
    pub fn c2s_tls(&self) -> SocketAddr {
        self.listening("clients (TLS)")
    }

    /// Where components connect.
    pub fn component(&self) -> SocketAddr {
        self.listening("components")
    }

    /// Where HTTP without TLS is, as for a reverse proxy.
    pub fn web(&self) -> SocketAddr {
        self.listening("web (no TLS)")
    }

    /// Where other servers connect.
    pub fn s2s(&self) -> SocketAddr {
        self.listening("servers")
    }

    /// Where other servers connect that use TLS from the first byte.
    pub fn s2s_tls(&self) -> SocketAddr {
        self.listening("servers (TLS)")
    }

    /// Where the operator's HTTP is.
    pub fn metrics(&self) -> SocketAddr {
        self.listening("metrics")
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("oriole.toml")
    }

    /// The file with the certificate that the server shows.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    /// A directory of this server's that it does not know of.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// How much memory the process has in use, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// How many files and sockets the process has open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Runs the program beside this server, with the same configuration.
    pub fn oriole(&self, arguments: &[&str]) -> Output {
        program().arg("--config").arg(self.config_file()).args(arguments).output().unwrap()
    }

    /// Makes an account with the password of the tests.
    pub fn add_user(&self, name: &str) {
        let mut command = program();
        command.arg("--config").arg(self.config_file()).args(["user", "add", &user(name), "--password-stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
        assert!(child.wait().unwrap().success(), "cannot add {name}");
    }

    /// A client on its way: connected, nothing said.
    pub fn connect(&self) -> Client {
        Client::connect(self.c2s(), &self.certificate())
    }

    /// A client that is logged in as `name`/`resource` (STARTTLS, SCRAM-SHA-256-PLUS) and has sent no presence.
    pub fn log_in(&self, name: &str, resource: &str) -> Client {
        let mut client = self.connect();
        client.log_in(name, resource);
        client
    }

    fn listening(&self, what: &str) -> SocketAddr {
        let find = |line: &String| Some(line.trim().strip_prefix(what)?.trim().parse().ok());
        let address = self.log.lines().iter().find_map(find).flatten();
        address.unwrap_or_else(|| panic!("no address of {what} in the start-up text"))
    }

    fn wait_until_serving(&self) {
        if self.log.wait_for("serving").is_none() {
            panic!("the server does not come up:\n{}", self.log.lines().join("\n"));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        let said = self.log.finish().join("\n");
        if std::thread::panicking() {
            eprintln!("The server said:\n{said}");
        } else {
            // Whatever a test is about: nothing that clients do may get the server that far.
            assert!(!said.contains("panicked at"), "{said}");
        }
    }
}

fn spawn(wrapper: &[&str], config: &Path) -> (Child, Log) {
    let program = program();
    let mut command = match wrapper {
        [] => program,
        [wrapper, arguments @ ..] => {
            let mut command = Command::new(wrapper);
            command.args(arguments).arg(program.get_program());
            command
        }
    };
    // A group of its own, so that a signal reaches the server behind a wrapper as well.
    command.arg("--config").arg(config).process_group(0);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let log = Log::follow(child.stderr.take().unwrap());
    (child, log)
}

/// Puts what is in `changes` over what is in `base`, table by table.
fn merge(base: &mut Table, changes: Table) {
    for (key, value) in changes {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(changes)) => merge(base, changes),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
