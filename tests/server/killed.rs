//! Two clients in the middle of a conversation, and a server that is killed again and again. Both go on with their streams
//! each time (XEP-0198 section 5), and at the end everything that was said has been heard, in order.
//!
//! `ORIOLE_CRASH_ROUNDS` and `ORIOLE_CRASH_SEED` are those of `crash.rs`.

use crate::phone::{Phone, SM, is_stanza};
use crate::support::random::{self, Random};
use crate::support::{Client, Server, user};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn a_conversation_survives_any_number_of_kills() {
    let rounds = random::setting("ORIOLE_CRASH_ROUNDS").unwrap_or(5);
    let mut random = Random::seeded("ORIOLE_CRASH_SEED");
    let mut server = Server::configured("default_host.require_tls = false\nlog.level = 'info'");
    server.add_user("juliet");
    server.add_user("romeo");
    let mut speaker =
        Speaker { phone: Phone::counting(server.log_in("romeo", "garden"), "romeo", "resume='true'"), said: 0 };
    let mut listener = Listener { phone: Phone::new(&server, "juliet", "balcony"), heard: Vec::new() };
    // Both streams are on disk: a request is answered when what came before it is.
    listener.phone.client.iq("set", None, "<query xmlns='jabber:iq:roster'><item jid='nurse@example.net'/></query>");
    listener.phone.h += 1;
    let mut said_again = BTreeSet::new();
    for _ in 0..rounds {
        let (progress, enough) = (AtomicU32::new(0), random.below(150) as u32);
        let pause = Duration::from_micros(random.below(20_000));
        thread::scope(|scope| {
            let speaking = scope.spawn(|| speaker.speak(&progress));
            scope.spawn(|| listener.listen());
            while progress.load(Ordering::Relaxed) < enough && !speaking.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(pause);
            server.kill9();
        });
        server.restart();
        listener.phone.resumes(&server);
        said_again.extend(speaker.goes_on(&server));
    }
    speaker.ends();
    let said = speaker.said;
    listener.listen_until(said);
    let mut firsts = Vec::new();
    for number in &listener.heard {
        if firsts.contains(number) {
            // It had reached her when neither disk nor sender knew, and so he had to say it again.
            assert!(said_again.contains(number), "{number} came twice");
        } else {
            firsts.push(*number);
        }
    }
    assert_eq!(firsts, (1..=said).collect::<Vec<_>>(), "everything, in order");
    assert!(said > 0, "nothing was said, so nothing was tested");
    eprintln!("{said} messages, {} heard twice", listener.heard.len() - firsts.len());
}

/// Sends nothing but messages, so that their numbers are those of its stanzas.
struct Speaker {
    phone: Phone,
    said: u32,
}

impl Speaker {
    /// Says one thing after the other until the server is gone.
    fn speak(&mut self, progress: &AtomicU32) {
        loop {
            let burst = letters(self.said + 1, self.said + 5);
            self.said += 5;
            if self.phone.client.try_send(burst).is_err() {
                return;
            }
            if self.phone.client.try_send(format!("<r xmlns='{SM}'/>")).is_err() {
                return;
            }
            if self.phone.client.try_find(|element| element.is("a", SM)).is_none() {
                return;
            }
            progress.fetch_add(5, Ordering::Relaxed);
        }
    }

    /// Says again what the server does not know of; returns the numbers of that.
    fn goes_on(&mut self, server: &Server) -> std::ops::RangeInclusive<u32> {
        let handled = self.phone.resumes(server);
        assert!(handled <= self.said, "{handled} of {}", self.said);
        self.phone.client.send(letters(handled + 1, self.said));
        handled + 1..=self.said
    }

    fn ends(&mut self) {
        self.phone.client.send(format!("<r xmlns='{SM}'/>"));
        let said = self.said.to_string();
        self.phone.client.find(|element| element.is("a", SM) && element.attr("h") == Some(&said));
    }
}

fn letters(first: u32, last: u32) -> String {
    crate::phone::letters(&user("juliet"), first..=last)
}

/// Counts every stanza, and confirms some of them.
struct Listener {
    phone: Phone,
    heard: Vec<u32>,
}

impl Listener {
    /// Listens until the server is gone.
    fn listen(&mut self) {
        while self.hears() {}
    }

    fn listen_until(&mut self, number: u32) {
        while !self.heard.contains(&number) {
            assert!(self.hears(), "the server is gone");
        }
        self.phone.client.settle();
    }

    /// False: the server is gone.
    fn hears(&mut self) -> bool {
        let Phone { client, h, .. } = &mut self.phone;
        let Some(element) = client.try_find(|element| is_stanza(element) || element.is("r", SM)) else { return false };
        if element.is("r", SM) {
            return confirm(client, *h);
        }
        *h += 1;
        self.heard.extend(element.attr("id").and_then(|id| id.strip_prefix('m')).and_then(|id| id.parse::<u32>().ok()));
        !h.is_multiple_of(7) || confirm(client, *h)
    }
}

fn confirm(client: &mut Client, h: u32) -> bool {
    client.try_send(format!("<a xmlns='{SM}' h='{h}'/>")).is_ok()
}
