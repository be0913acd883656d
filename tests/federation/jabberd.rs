//! jabberd2, as far as it talks to other servers: its router, and its `s2s`.

use crate::others::Process;
use crate::stage::{Quality, Stage};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

/// The parts of a jabberd2 that talk to other servers. Its users are components that connect to its router.
pub struct Jabberd {
    pub router: SocketAddr,
    _processes: [Process; 2],
}

/// What components of [`Jabberd`] show.
pub const SECRET: &str = "s3cret";

impl Stage {
    /// Starts a jabberd2 whose components may be these domains, and which finds others by that name server.
    pub fn jabberd(&self, domains: &[&str], at: IpAddr, dns: IpAddr) -> Jabberd {
        let (certificate, key) = self.certificate(domains[0], Quality::SelfSigned);
        let dir = self.dir.path().join("jabberd");
        fs::create_dir(&dir).unwrap();
        let file = |name: &str, text: String| {
            fs::write(dir.join(name), text).unwrap();
            dir.join(name)
        };
        let both = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&certificate).unwrap();
        let pem = file("s2s.pem", both);
        let user = format!("<users><user><name>jabberd</name><secret>{SECRET}</secret></user></users>");
        let (users, filter) = (file("users.xml", user), file("filter.xml", "<filter/>".to_owned()));
        let (pid, users, filter, pem) = (dir.display(), users.display(), filter.display(), pem.display());
        let binds: String = domains.iter().map(|domain| format!("<user>{domain}</user>")).collect();
        let log = "<log type='stdout'/>";
        let check = "<check><interval>1</interval><queue>30</queue><retry>5</retry><idle>600</idle><keepalive>0</keepalive></check>";
        let router = file(
            "router.xml",
            format!(
                "<router><id>router</id><pidfile>{pid}/router.pid</pidfile>{log}{check}\
                 <local><ip>{at}</ip><port>5347</port><users>{users}</users><secret>{SECRET}</secret></local>\
                 <io><max_fds>1024</max_fds></io><aliases/>\
                 <aci><acl type='all'><user>jabberd</user></acl><acl type='bind'>{binds}</acl>\
                 <filter>{filter}</filter></aci></router>"
            ),
        );
        let s2s = file(
            "s2s.xml",
            format!(
                "<s2s><id>s2s</id><pidfile>{pid}/s2s.pid</pidfile>{log}{check}\
                 <router><ip>{at}</ip><port>5347</port><user>jabberd</user><pass>{SECRET}</pass>\
                 <retry><init>30</init><lost>3</lost><sleep>1</sleep></retry></router>\
                 <local><ip>{at}</ip><port>5269</port><pemfile>{pem}</pemfile></local>\
                 <io><max_fds>1024</max_fds></io>\
                 <lookup><srv>xmpp-server</srv><min-ttl>30</min-ttl><max-ttl>300</max-ttl>\
                 <bad-host-timeout>1</bad-host-timeout></lookup><out-conn-reuse/><security/></s2s>"
            ),
        );
        let spawn = |program: &str, config: PathBuf| {
            let mut command = Command::new(program);
            // Its resolver takes these instead of what the system says.
            command.env("NAMESERVERS", dns.to_string()).env("RES_OPTIONS", "port:5353").arg("-D").arg("-c").arg(config);
            Process::spawn(&mut command)
        };
        let (at_router, at_s2s) = (SocketAddr::new(at, 5347), SocketAddr::new(at, 5269));
        let mut router = spawn("jabberd2-router", router);
        router.wait_for_port(at_router);
        let mut s2s = spawn("jabberd2-s2s", s2s);
        s2s.wait_for_port(at_s2s);
        Jabberd { router: at_router, _processes: [router, s2s] }
    }
}
