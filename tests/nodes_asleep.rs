//! What nodes cost that nobody uses at the moment (XEP-0060, XEP-0163): disk, and nothing else. One test holds that whatever is done
//! with a node reads the same few records, however many others there are, and that afterwards none is left in memory. The other
//! one measures, so it is ignored in a usual run:
//!
//! ```text
//! ORIOLE_NODES=1000000 cargo test --release --test nodes_asleep -- --ignored --nocapture
//! ```
//!
//! `ORIOLE_NODES` is the number of nodes of the service (100,000 if it is not set), `ORIOLE_NODES_ENGINE` the engine. For every ten
//! of them there is an account, which owns them and has a node itself. All are made by the requests of clients, handed to the
//! engine; then the store is opened anew. Only connections are left out.

mod measure;

use async_trait::async_trait;
use compact_str::{CompactString, format_compact};
use measure::{Spent, print_heads, resident, size};
use oriole::engine::{Binding, Client, Domains, Engine, Limits, Secrets};
use oriole::store::{self, Database, EngineKind, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use wire::datetime::Timestamp;
use wire::jid::BareJid;
use wire::sasl::{Credentials, TokenKey};
use wire::stanza::{IqType, Stanza, TopLevel, UNLIMITED, content_scope};
use wire::xml::Element;
use xeps::accounts::{BadPassword, Passwords};
use xeps::clock::Clock;
use xeps::registry::Registry;
use xeps::store::{Batch, Committed, Entry, Key, LogKey, LogQuery, Position, Record, Seq, Store, StoreError, Summary};
use xeps::{Host, ServiceSettings, Settings, features, pubsub, services};

const DOMAIN: &str = "example.org";
const SERVICE: &str = "pubsub.example.org";
const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// The node that each account has itself.
const PERSONAL: &str = "urn:xmpp:microblog:0";
/// Nodes of the service that belong to one account.
const OWNED: u64 = 10;
/// Nodes on one page of a list, and how often what is measured is done, each time with other nodes.
const PAGE: usize = 50;
const TIMES: u64 = 200;

/// What is done with a node: a name for it, and the request of its owner.
type Act = (&'static str, fn(u64) -> String);

const ACTS: [Act; 7] = [
    ("a page of the list", list),
    ("the item of a node", read),
    ("an item for a node", publish),
    ("an item for an account's own", |_| post()),
    ("a new node", another),
    ("a subscription", |node| follow("subscribe", node)),
    ("the end of a subscription", |node| follow("unsubscribe", node)),
];

#[tokio::test]
async fn what_a_node_costs_does_not_depend_on_how_many_there_are() {
    let page = PAGE as u64;
    assert_eq!(reads_in_the_middle_of(3 * page).await, reads_in_the_middle_of(9 * page).await);
}

/// How many records are read for each act with a node in the middle of so many.
async fn reads_in_the_middle_of(count: u64) -> Vec<(&'static str, u64)> {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(EngineKind::Sled, dir.path());
    fill(&options, count).await;
    let house = House::open(&options);
    let node = count / 2;
    let mut owner = house.log_in(node / OWNED).await;
    let mut reads = Vec::new();
    for (what, request) in ACTS {
        let before = house.store.reads();
        house.ask(&mut owner, &request(node)).await;
        reads.push((what, house.store.reads() - before));

        assert_eq!(house.awake(), (0, 1), "no node is left in memory, and no account but the one with a session");
    }
    house.close(owner).await;
    reads
}

#[tokio::test]
#[ignore = "measures"]
async fn what_nodes_cost_that_are_asleep() {
    let count = std::env::var("ORIOLE_NODES").map_or(100_000, |count| count.parse().expect("a number"));
    let engine = std::env::var("ORIOLE_NODES_ENGINE").map_or_else(|_| EngineKind::Sled, |name| name.parse().unwrap());
    let step = count / TIMES;
    assert!(step > PAGE as u64, "the last page is to be a whole one: {} nodes at least", TIMES * (PAGE as u64 + 1));
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(engine, dir.path());
    let memory = |when: &str| println!("{:>6} MB in memory {when}", resident() >> 20);
    memory("before there is anything");
    let began = Spent::so_far();
    fill(&options, count).await;
    let accounts = count / OWNED;
    println!("{count} nodes of the service and {accounts} of accounts, {engine:?}: made with {}", began.since());
    let disk = size(dir.path());
    println!("{:>6} MB on disk, {} bytes a node with its item", disk >> 20, disk / (count + accounts));
    memory("when they have been made");

    let began = Spent::so_far();
    let house = House::open(&options);
    println!("opened with {}", began.since());
    memory("when the store has been opened anew");
    let mut client = house.log_in(0).await;
    print_heads("with a login each time", "time");
    for round in ["first time", "again"] {
        for (what, request) in ACTS {
            let began = Spent::so_far();
            for node in (0..TIMES).map(|time| time * step) {
                client = house.change(client, node / OWNED).await;
                house.ask(&mut client, &request(node)).await;
            }
            began.since().print(&format!("{what}, {round}"), TIMES as usize);
        }
    }
    memory("after all this");
    assert_eq!(house.awake(), (0, 1));
    house.close(client).await;
}

/// Makes the nodes, each with an item.
async fn fill(options: &Options, count: u64) {
    let house = House::open(options);
    for number in 0..count / OWNED {
        let mut owner = house.log_in(number).await;
        for node in number * OWNED..(number + 1) * OWNED {
            house.ask(&mut owner, &create(&name(node))).await;
            house.ask(&mut owner, &publish(node)).await;
        }
        house.ask(&mut owner, &post()).await;
        house.engine.unbind(owner, Vec::new()).await;
    }
    assert_eq!(house.awake(), (0, 0));
    house.database.close().unwrap();
}

fn name(number: u64) -> String {
    format!("channel-{number:09}")
}

fn iq(kind: &str, to: &str, payload: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    format!("<iq type='{kind}' id='ask'{to}>{payload}</iq>")
}

fn create(name: &str) -> String {
    iq("set", SERVICE, &format!("<pubsub xmlns='{PUBSUB}'><create node='{name}'/></pubsub>"))
}

/// A node that was not there, whatever the round is.
fn another(node: u64) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    create(&format!("{}-{}", name(node), LAST.fetch_add(1, Ordering::Relaxed)))
}

/// Subscribes the owner to its node, or ends that.
fn follow(what: &str, node: u64) -> String {
    let (node, owner) = (name(node), owner(node / OWNED));
    iq("set", SERVICE, &format!("<pubsub xmlns='{PUBSUB}'><{what} node='{node}' jid='{owner}'/></pubsub>"))
}

/// The address of an account.
fn owner(account: u64) -> BareJid {
    BareJid::from_parts(Some(&format!("owner{account:06}")), DOMAIN).unwrap()
}

/// The nodes of the service behind this one.
fn list(after: u64) -> String {
    let after = format!("<after>{}</after>", name(after));
    let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>{PAGE}</max>{after}</set>");
    iq("get", SERVICE, &format!("<query xmlns='{ITEMS}'>{set}</query>"))
}

fn read(node: u64) -> String {
    iq("get", SERVICE, &format!("<pubsub xmlns='{PUBSUB}'><items node='{}'/></pubsub>", name(node)))
}

fn publish(node: u64) -> String {
    iq("set", SERVICE, &item_for(&name(node)))
}

/// An item for the node of the account itself.
fn post() -> String {
    iq("set", "", &item_for(PERSONAL))
}

fn item_for(node: &str) -> String {
    let text = "It was the lark, the herald of the morn, no nightingale. What light through yonder window breaks?";
    let entry = format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title></entry>");
    format!("<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item>{entry}</item></publish></pubsub>")
}

/// A host with its service over a store on disk, as the server has it, without ports.
struct House {
    engine: Engine,
    store: Arc<Counted>,
    database: Arc<Database>,
}

impl House {
    fn open(options: &Options) -> House {
        let database = store::open(options).unwrap();
        let store = Arc::new(Counted { store: database.clone(), reads: AtomicU64::new(0) });
        let settings = pubsub::Settings { domain: SERVICE.parse().unwrap(), config: pubsub::Config::default() };
        let services = services(ServiceSettings { pubsub: Some(settings), ..ServiceSettings::default() });
        let registry = Registry::new(features(Settings::new(Now.now()))).unwrap();
        let host = Host::new(DOMAIN.parse().unwrap(), registry, &[1; 32]);
        let domains = Domains::new([(host, services)], []);
        let limits = Limits { outbox_bytes: 1 << 20, sessions_per_account: 5, resumption: Duration::ZERO };
        let secrets = Secrets { tokens: TokenKey::new([1; 32]), random: |octets| octets.fill(1) };
        let engine = Engine::new(domains, store.clone(), Arc::new(Now), Arc::new(Nobody), secrets, limits);
        House { engine, store, database }
    }

    async fn log_in(&self, account: u64) -> Client {
        let user = owner(account);
        let host = self.engine.domains.host(DOMAIN).unwrap();
        self.engine.bind(host, &user, Binding::default(), None).await.unwrap().0
    }

    /// Ends one session and begins another.
    async fn change(&self, client: Client, account: u64) -> Client {
        self.engine.unbind(client, Vec::new()).await;
        self.log_in(account).await
    }

    /// Sends a request and checks its answer: it is no error, and what was asked for is there.
    async fn ask(&self, client: &mut Client, request: &str) {
        let Ok(TopLevel::Stanza(stanza)) = TopLevel::parse(request, content_scope(), &UNLIMITED) else {
            panic!("{request}")
        };
        self.engine.receive(client, stanza).await.unwrap();
        let parcels = client.outbox.take().parcels;
        let mut answers = parcels.into_iter().map(|parcel| parcel.stanza);
        let answer = answers.find(|stanza| stanza.id.as_deref() == Some("ask")).expect("there is an answer");
        assert!(answer.kind == IqType::Result.into(), "{request}: {answer:?}");
        if request.contains("<items") {
            assert!(items(&answer) > 0, "{request}");
        }
        if request.contains(ITEMS) {
            assert_eq!(nodes(&answer), PAGE, "{request}");
        }
    }

    /// How many residents of the service, and how many accounts, are in memory.
    fn awake(&self) -> (usize, usize) {
        (self.engine.domains.service(SERVICE).unwrap().awake().len(), self.engine.awake.all().len())
    }

    async fn close(self, client: Client) {
        self.engine.unbind(client, Vec::new()).await;
        self.database.close().unwrap();
    }
}

fn payload(answer: &Stanza) -> Element {
    answer.request().and_then(|child| child.element()).expect("the answer has a child")
}

fn items(answer: &Stanza) -> usize {
    payload(answer).child("items", PUBSUB).map_or(0, |items| items.children().count())
}

fn nodes(answer: &Stanza) -> usize {
    payload(answer).children_named("item", ITEMS).count()
}

/// The time of the system, and ids in order.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(since.as_millis() as i64).unwrap()
    }

    fn id(&self) -> CompactString {
        static LAST: AtomicU64 = AtomicU64::new(0);
        format_compact!("{:016}", LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Nobody has a password here: sessions are bound without.
struct Nobody;

#[async_trait]
impl Passwords for Nobody {
    async fn derive(&self, _: &str) -> Result<Credentials, BadPassword> {
        Err(BadPassword)
    }
}

/// A store that counts what is read from it.
struct Counted {
    store: Arc<Database>,
    reads: AtomicU64,
}

impl Counted {
    /// How many records and entries have been read, or looked for in vain.
    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn count(&self, reads: usize) {
        self.reads.fetch_add(reads.max(1) as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, key: Key<'_>) -> Result<Option<Record>, StoreError> {
        self.count(1);
        self.store.get(key).await
    }

    async fn list(
        &self,
        owner: &str,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let found = self.store.list(owner, kind, after, limit).await?;
        self.count(found.len());
        Ok(found)
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.store.commit(batch).await
    }

    fn reserve(&self) -> Seq {
        self.store.reserve()
    }

    async fn read(&self, log: LogKey<'_>, query: LogQuery<'_>) -> Result<Vec<Entry>, StoreError> {
        let found = self.store.read(log, query).await?;
        self.count(found.len());
        Ok(found)
    }

    async fn summary(&self, log: LogKey<'_>) -> Result<Summary, StoreError> {
        self.count(1);
        self.store.summary(log).await
    }

    async fn trim(&self, log: LogKey<'_>, up_to: Seq) -> Result<Position, StoreError> {
        self.store.trim(log, up_to).await
    }

    async fn forget(&self, owner: &str) -> Result<Position, StoreError> {
        self.store.forget(owner).await
    }

    async fn durable(&self, position: Position) -> Result<(), StoreError> {
        self.store.durable(position).await
    }
}
