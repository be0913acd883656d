//! Arguments of the command line and what they do.

use clap::{Args, Parser, Subcommand, ValueEnum};
use conformance_suite::expect;
use conformance_suite::musts::Musts;
use conformance_suite::net::{Account, ComponentAccess, RemoteAccess, Remotes, Security, Target, Trust, client_config};
use conformance_suite::play::{Level, Library, Requirement, is_called};
use conformance_suite::report::{Report, Terminal, compare, html, junit, slowest, summary};
use conformance_suite::run::{Accounts, Components, Run, Source, perform_all, survey};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A black-box conformance suite for XMPP servers.
#[derive(Parser)]
#[command(version, name = "conformance")]
pub struct Command {
    #[command(subcommand)]
    action: Action,
    /// Read the plays from this folder instead of those built in.
    #[arg(long, global = true)]
    cases: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Test a server.
    Run(Box<RunArgs>),
    /// List requirements.
    List {
        #[command(flatten)]
        selection: Selection,
        /// By the examples of the specification that their plays show.
        #[arg(long)]
        examples: bool,
    },
    /// Show what a requirement says and how it is tested.
    Explain { id: String },
    /// Put several JSON results side by side.
    Compare {
        reports: Vec<PathBuf>,
        /// List every requirement, also those on which all agree.
        #[arg(long)]
        all: bool,
    },
    /// Check that every play can be read.
    Check,
    /// Name every MUST of some specifications, and what shows that a server does it; fails when nothing shows one of them.
    Musts {
        /// Specifications, as in `XEP-0198` or `xep0198`; all of which there is a table if none is given.
        #[arg(long, value_delimiter = ',')]
        spec: Vec<String>,
    },
}

/// Which requirements; all conditions must hold, lists are alternatives.
#[derive(Args)]
struct Selection {
    /// Specifications, as in `RFC 6121`, `rfc6121` or `xep-0045`.
    #[arg(long, value_delimiter = ',')]
    spec: Vec<String>,
    /// Sections; `8.5` includes 8.5.2.
    #[arg(long, value_delimiter = ',')]
    section: Vec<String>,
    /// Levels: MUST, "MUST NOT", SHOULD, "SHOULD NOT", MAY.
    #[arg(long, value_delimiter = ',')]
    level: Vec<String>,
    /// Parts of requirement ids.
    #[arg(long, value_delimiter = ',')]
    name: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tls {
    Starttls,
    Direct,
    None,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    selection: Selection,
    /// Address to connect to.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    #[arg(long, default_value_t = 5222)]
    port: u16,
    /// The XMPP domain; the host if not given.
    #[arg(long)]
    domain: Option<String>,
    #[arg(long, value_enum, default_value = "starttls")]
    tls: Tls,
    /// Accept only certificates that lead to one in this PEM file; any certificate if not given.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// A port for direct TLS, besides --port.
    #[arg(long)]
    direct_tls_port: Option<u16>,
    /// Address for XMPP over WebSocket, `ws://...` or `wss://...`.
    #[arg(long)]
    websocket: Option<String>,
    /// Accounts to use, lines of `user@domain password`; otherwise accounts are registered in-band.
    #[arg(long)]
    accounts: Option<PathBuf>,
    /// Address of an administrator who adds and deletes accounts (XEP-0133).
    #[arg(long, requires = "admin_password")]
    admin: Option<String>,
    #[arg(long)]
    admin_password: Option<String>,
    /// Register accounts in-band although there is an administrator.
    #[arg(long, requires = "admin")]
    register: bool,
    /// A component the suite may be, as DOMAIN:PORT:SECRET; with several, as many plays use one at a time.
    #[arg(long, value_delimiter = ',')]
    component: Vec<String>,
    /// Address for XMPP over BOSH, `http://...` or `https://...`.
    #[arg(long)]
    bosh: Option<String>,
    /// Where the domain's web server is, `https://...` or `http://...` without a path (for `/.well-known/host-meta`).
    #[arg(long)]
    web: Option<String>,
    /// Domains that the server under test finds at --remote-listen: the suite is another server for them. Each play uses one
    /// or two; give many, so that a play seldom gets one that another has just used.
    #[arg(long, value_delimiter = ',', num_args = 1.., requires = "remote_listen")]
    remote_domain: Vec<String>,
    /// Domains that lead to --remote-listen in a way of their own, as WAY=DOMAIN,DOMAIN...; see PLAYS.md. May be repeated.
    #[arg(long, requires = "remote_listen")]
    remote_way: Vec<String>,
    /// Where the suite waits for the server under test, as ADDRESS:PORT.
    #[arg(long, requires = "remote_domain")]
    remote_listen: Option<SocketAddr>,
    /// The port of the server under test for other servers.
    #[arg(long, default_value_t = 5269)]
    server_port: u16,
    /// The same where TLS begins with the first byte.
    #[arg(long)]
    server_tls_port: Option<u16>,
    /// A PEM file with certificate and key of an authority that the server under test trusts, for certificates to show it as
    /// other servers.
    #[arg(long, requires = "remote_domain")]
    remote_authority: Option<PathBuf>,
    /// Plays at the same time.
    #[arg(long, default_value_t = 16)]
    parallel: usize,
    /// Specifications whose plays go on one after the other, beside the rest, as in --spec.
    #[arg(long, value_delimiter = ',')]
    in_turn: Vec<String>,
    /// Seconds to wait for what must come.
    #[arg(long, default_value_t = 5.0)]
    timeout: f64,
    /// Milliseconds without anything before "nothing came" is believed.
    #[arg(long, default_value_t = 300)]
    quiet: u64,
    /// A name for the server in reports.
    #[arg(long)]
    label: Option<String>,
    #[arg(long)]
    json: Option<PathBuf>,
    #[arg(long)]
    junit: Option<PathBuf>,
    #[arg(long)]
    html: Option<PathBuf>,
    /// Requirements not yet expected to pass; fails when one of them passes or another one fails.
    #[arg(long)]
    expect: Option<PathBuf>,
    /// How many of the plays that took the longest are named at the end.
    #[arg(long, default_value_t = 5)]
    slowest: usize,
    /// Name requirements that pass, too, and keep their logs.
    #[arg(long, short)]
    verbose: bool,
}

impl Command {
    pub fn execute(self) -> Result<ExitCode, String> {
        if let Action::Compare { reports, all } = &self.action {
            let reports = reports.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
            println!("{}", compare(&reports, *all));
            return Ok(ExitCode::SUCCESS);
        }
        let library = match &self.cases {
            Some(folder) => Library::from_folder(folder),
            None => Library::embedded(),
        };
        let library = library.map_err(|faults| {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("mistakes in plays\n{}", lines.join("\n"))
        })?;
        match self.action {
            Action::Run(args) => {
                let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
                runtime.block_on(args.run(&library))
            }
            Action::List { selection, examples } => {
                let selected = selection.select(&library)?;
                if examples {
                    by_example(&selected).iter().for_each(|line| println!("{line}"));
                    return Ok(ExitCode::SUCCESS);
                }
                for requirement in &selected {
                    let Requirement { id, spec, section, level, title, .. } = requirement;
                    println!("{level:<10} {} {section:<12} {id}: {title}", spec.name);
                }
                println!("{} requirements", selected.len());
                Ok(ExitCode::SUCCESS)
            }
            Action::Explain { id } => {
                let requirement = library.get(&id).ok_or_else(|| format!("no requirement '{id}'"))?;
                println!("{}", explain(requirement));
                Ok(ExitCode::SUCCESS)
            }
            Action::Check => {
                println!("{} requirements, no mistakes", library.requirements.len());
                Ok(ExitCode::SUCCESS)
            }
            Action::Musts { spec } => musts(&spec, &library),
            Action::Compare { .. } => Ok(ExitCode::SUCCESS),
        }
    }
}

fn musts(specs: &[String], library: &Library) -> Result<ExitCode, String> {
    let mut faults = Vec::new();
    let wanted = |name: &str| specs.is_empty() || specs.iter().any(|spec| is_called(name, spec));
    for musts in Musts::embedded()?.iter().filter(|musts| wanted(&musts.name)) {
        println!("{}", musts.table());
        faults.extend(musts.faults(library));
    }
    faults.iter().for_each(|fault| println!("{fault}"));
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Selection {
    fn select(&self, library: &Library) -> Result<Vec<Requirement>, String> {
        let levels = self
            .level
            .iter()
            .map(|name| Level::parse(&name.to_uppercase()).ok_or_else(|| format!("'{name}' is not a level")))
            .collect::<Result<Vec<_>, _>>()?;
        let within = |section: &str, part: &str| {
            section == part || section.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'))
        };
        let wanted = |requirement: &&Requirement| {
            (self.spec.is_empty() || self.spec.iter().any(|name| requirement.spec.is_called(name)))
                && (self.section.is_empty() || self.section.iter().any(|part| within(&requirement.section, part)))
                && (levels.is_empty() || levels.contains(&requirement.level))
                && (self.name.is_empty() || self.name.iter().any(|part| requirement.id.contains(part)))
        };
        Ok(library.requirements.iter().filter(wanted).cloned().collect())
    }
}

impl RunArgs {
    async fn run(self, library: &Library) -> Result<ExitCode, String> {
        let selected = self.selection.select(library)?;
        if selected.is_empty() {
            return Err("no requirement matches the selection".to_owned());
        }
        let expected = self.expect.as_deref().map(read).transpose()?;
        let target = Arc::new(self.target()?);
        let accounts = self.accounts(&target)?;
        let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let clock = Instant::now();
        let profile = survey(&target, &accounts).await;
        if let Some(why) = &profile.no_accounts {
            eprintln!("no account could be used: {why}");
        }
        let server = profile.server_info(&target, self.label.as_deref());
        let components = Components::new(&target.components);
        let remotes = match &target.remote {
            Some(access) => Remotes::open(access).await?,
            None => Remotes::none(),
        };
        let (parallel, in_turn, keep_logs) = (self.parallel, self.in_turn, self.verbose);
        let run = Arc::new(Run {
            components,
            remotes: Arc::new(remotes),
            target,
            accounts,
            profile,
            parallel,
            in_turn,
            keep_logs,
        });
        let mut terminal = Terminal::new(selected.len(), self.verbose);
        let results = perform_all(run, &selected, |outcome| terminal.tell(outcome)).await;
        terminal.finish();
        let suite = format!("conformance {}", env!("CARGO_PKG_VERSION"));
        let report = Report { suite, server, began, seconds: clock.elapsed().as_secs_f64(), results };
        println!("{}{}", summary(&report), slowest(&report, self.slowest));
        if let Some(path) = &self.json {
            write(path, &serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?)?;
        }
        if let Some(path) = &self.junit {
            write(path, &junit(&report))?;
        }
        if let Some(path) = &self.html {
            write(path, &html(&report))?;
        }
        Ok(verdict(&report, expected.as_deref()))
    }

    fn target(&self) -> Result<Target, String> {
        let trust = self.ca.clone().map_or(Trust::Any, Trust::File);
        let components = self.component.iter().map(|text| component(text)).collect::<Result<Vec<_>, _>>()?;
        let ways: BTreeMap<_, _> = self.remote_way.iter().map(|text| way(text)).collect::<Result<_, _>>()?;
        Ok(Target {
            host: self.host.clone(),
            port: self.port,
            domain: self.domain.clone().unwrap_or_else(|| self.host.clone()),
            security: match self.tls {
                Tls::Starttls => Security::Starttls,
                Tls::Direct => Security::Direct,
                Tls::None => Security::None,
            },
            direct_tls_port: self.direct_tls_port,
            websocket: self.websocket.clone(),
            bosh: self.bosh.clone(),
            web: self.web.as_deref().map(|web| web.trim_end_matches('/').to_owned()),
            tls: client_config(&trust)?,
            components,
            remote: self.remote_listen.map(|listen| RemoteAccess {
                port: self.server_port,
                listen,
                domains: self.remote_domain.clone(),
                direct_tls_port: self.server_tls_port,
                authority: self.remote_authority.clone(),
                ways: ways.clone(),
            }),
            timeout: Duration::try_from_secs_f64(self.timeout).map_err(|error| format!("--timeout: {error}"))?,
            quiet: Duration::from_millis(self.quiet),
        })
    }

    fn accounts(&self, target: &Target) -> Result<Accounts, String> {
        if let Some(path) = &self.accounts {
            return Accounts::from_file(path);
        }
        match (&self.admin, &self.admin_password) {
            (Some(jid), Some(password)) => {
                let (user, domain) = jid.split_once('@').unwrap_or((jid, &target.domain));
                let (user, domain, password) = (user.to_owned(), domain.to_owned(), password.clone());
                let admin = Account { user, domain, password };
                let source = if self.register { Source::RegisterBesideAdmin(admin) } else { Source::Admin(admin) };
                Ok(Accounts { source })
            }
            _ => Ok(Accounts { source: Source::Register }),
        }
    }
}

/// `DOMAIN:PORT:SECRET`
fn component(text: &str) -> Result<ComponentAccess, String> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let port = parts.get(1).and_then(|port| port.parse().ok());
    match (parts.as_slice(), port) {
        ([domain, _, secret], Some(port)) => {
            Ok(ComponentAccess { port, domain: (*domain).to_owned(), secret: (*secret).to_owned() })
        }
        _ => Err(format!("--component is DOMAIN:PORT:SECRET, not '{text}'")),
    }
}

/// `WAY=DOMAIN,DOMAIN`
fn way(text: &str) -> Result<(String, Vec<String>), String> {
    let (way, domains) = text.split_once('=').ok_or_else(|| format!("--remote-way is WAY=DOMAIN,..., not '{text}'"))?;
    Ok((way.to_owned(), domains.split(',').map(str::to_owned).collect()))
}

/// Success if all went as it should: as the expectations say, or without any failure.
fn verdict(report: &Report, expected: Option<&str>) -> ExitCode {
    let Some(expected) = expected else {
        let bad = report.results.iter().any(|outcome| outcome.status.is_bad());
        return if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    };
    let surprises = expect::compare(report, &expect::parse(expected));
    for id in &surprises.passed {
        println!("passes now, take it off the list: {id}");
    }
    for id in &surprises.failed {
        println!("fails and is not on the list: {id}");
    }
    if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line for each example that a play shows, with the requirements that it belongs to.
fn by_example(selected: &[Requirement]) -> Vec<String> {
    let mut found = BTreeMap::<(&str, u16), Vec<&str>>::new();
    for requirement in selected {
        for example in &requirement.examples {
            found.entry((&requirement.spec.name, *example)).or_default().push(&requirement.id);
        }
    }
    found.iter().map(|((spec, example), ids)| format!("{spec} example {example}: {}", ids.join(", "))).collect()
}

fn explain(requirement: &Requirement) -> String {
    let Requirement { id, spec, section, level, title, says, file, line, source, .. } = requirement;
    format!(
        "{id}\n{title}\n\n{} ({}), {}, section {section}, {level}:\n  \"{says}\"\n\n{file}:{line}\n\n{source}",
        spec.name, spec.title, spec.version
    )
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_report(path: &Path) -> Result<Report, String> {
    serde_json::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}
