//! A client as people use it: Profanity in a terminal, typed into and read from the screen.

use super::support::{DOMAIN, PASSWORD, Server, skip, user, wait};
use super::{at, python, server};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

#[test]
fn two_people_add_each_other_and_chat() {
    if !["tmux", "profanity"].iter().all(|program| is_there(program)) {
        return skip("there is no tmux or no profanity");
    }
    let server = Server::start();
    server.add_user("romeo");
    server.add_user("juliet");
    let romeo = Terminal::open(server.scratch(), "romeo");
    let juliet = Terminal::open(server.scratch(), "juliet");
    romeo.log_in(server.c2s(), "trust");
    // XEP-0368: TLS from the first byte.
    juliet.log_in(server.c2s_tls(), "legacy");

    romeo.types(&format!("/roster add {} Juliet", user("juliet")));
    romeo.shows("Roster item added: juliet@capulet.example");
    romeo.types(&format!("/sub request {}", user("juliet")));
    juliet.shows("Received authorization request from romeo@capulet.example");
    juliet.types(&format!("/sub allow {}", user("romeo")));
    romeo.shows("Subscription received from juliet@capulet.example");
    romeo.shows("++ Juliet");
    juliet.types(&format!("/sub request {}", user("romeo")));
    romeo.shows("Received authorization request from juliet@capulet.example");
    romeo.types(&format!("/sub allow {}", user("juliet")));
    juliet.shows("Subscription received from romeo@capulet.example");
    romeo.types("/roster");
    romeo.shows("juliet@capulet.example (Juliet) - both");

    romeo.types(&format!("/msg {} Shall I hear more?", user("juliet")));
    juliet.types(&format!("/msg {} Or shall I speak at this?", user("romeo")));
    juliet.shows_somewhere("Shall I hear more?");
    romeo.shows_somewhere("Or shall I speak at this?");

    juliet.types("/status set away \"Gone to bed\"");
    romeo.shows_somewhere("Gone to bed");
    juliet.types("/disconnect");
    juliet.shows("logged out successfully");
    romeo.shows_somewhere("Juliet [offline]");
    romeo.types(&format!("/msg {} Sleep dwell upon thine eyes", user("juliet")));
    romeo.shows_somewhere("me: Sleep dwell upon thine eyes");
    juliet.log_in(server.c2s(), "trust");
    juliet.shows_somewhere("Sleep dwell upon thine eyes");
}

/// The scenario of whoever is in the room with Profanity.
pub const TOGETHER: &str = "rooms somebody_on_a_terminal_is_in_the_room";

#[test]
fn two_programs_talk_in_one_room() {
    let Some(mut python) = python() else { return };
    if !["tmux", "profanity"].iter().all(|program| is_there(program)) {
        return skip("there is no tmux or no profanity");
    }
    let server = server();
    server.add_user("romeo");
    let romeo = Terminal::open(server.scratch(), "romeo");
    romeo.log_in(server.c2s(), "trust");
    let juliet = at(&server, &mut python).args(TOGETHER.split(' ')).stderr(Stdio::piped()).spawn().unwrap();
    let room = format!("verona@muc.{DOMAIN}");
    let opened = || {
        let list = server.oriole(&["room", "list"]).stdout;
        String::from_utf8_lossy(&list).contains("The Streets of Verona").then_some(())
    };
    wait::until(opened).expect("Juliet opens the room");
    romeo.types(&format!("/join {room} nick romeo"));
    romeo.shows("What's in a name?");
    romeo.types("By a name I know not how to tell thee who I am");
    romeo.shows("The balcony");
    romeo.types("/msg juliet Wilt thou leave me so?");
    romeo.shows_somewhere("What satisfaction canst thou have?");
    romeo.types(&format!("/win {room}"));
    romeo.types("/close");
    let juliet = juliet.wait_with_output().unwrap();
    assert!(juliet.status.success(), "{}", String::from_utf8_lossy(&juliet.stderr));
}

/// Profanity in a terminal of its own, with a home of its own.
struct Terminal {
    /// The socket of a tmux that only this test knows.
    socket: PathBuf,
    name: String,
}

impl Terminal {
    fn open(dir: &Path, name: &str) -> Terminal {
        let home = dir.join(name);
        fs::create_dir(&home).unwrap();
        let terminal = Terminal { socket: home.join("tmux"), name: name.to_owned() };
        let home = home.display();
        let environment = [
            format!("HOME={home}"),
            format!("XDG_CONFIG_HOME={home}/config"),
            format!("XDG_DATA_HOME={home}/data"),
            "LC_ALL=C.UTF-8".to_owned(),
        ];
        let mut arguments = vec!["-f", "/dev/null", "-u", "new-session", "-d", "-x", "160", "-y", "50"];
        arguments.extend(environment.iter().flat_map(|variable| ["-e", variable]));
        arguments.push("profanity");
        let output = terminal.tmux(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal.shows("Type '/help'");
        terminal
    }

    fn log_in(&self, address: SocketAddr, tls: &str) {
        let (name, ip, port) = (user(&self.name), address.ip(), address.port());
        self.types(&format!("/connect {name} server {ip} port {port} tls {tls}"));
        self.shows("Enter password");
        self.types(PASSWORD);
        if tls == "legacy" {
            // It asks its user whether to trust a certificate that nobody has signed.
            self.shows("Use '/tls always'");
            self.types("/tls always");
        }
        self.shows("logged in successfully");
    }

    /// Types a line.
    fn types(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Waits until the screen shows the text.
    fn shows(&self, text: &str) {
        self.wait_for(text, || {});
    }

    /// Waits until one of the windows shows the text.
    fn shows_somewhere(&self, text: &str) {
        let mut windows = ["1", "2", "3"].into_iter().cycle();
        self.wait_for(text, || self.types(&format!("/win {}", windows.next().unwrap())));
    }

    fn wait_for(&self, text: &str, mut look_elsewhere: impl FnMut()) {
        const MOMENT: Duration = Duration::from_secs(1);
        let is_shown = || self.screen().contains(text).then_some(());
        let found = wait::until(|| {
            wait::within(MOMENT, is_shown).or_else(|| {
                look_elsewhere();
                None
            })
        });
        assert!(found.is_some(), "{} does not see {text:?}:\n{}", self.name, self.screen());
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p", "-J"]).stdout).into_owned()
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").arg("-S").arg(&self.socket).args(arguments).output().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok()
}
