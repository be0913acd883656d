// Two people chat with stanza.js. Arguments: the WebSocket's URL or that of BOSH, the domain, the password.
import * as XMPP from "stanza";

const [url, domain, password] = process.argv.slice(2);
const transports = url.startsWith("ws") ? { websocket: url, bosh: false } : { bosh: url, websocket: false };

function logIn(name) {
  const session = XMPP.createClient({ jid: `${name}@${domain}`, password, transports, resource: "web" });
  return new Promise((started) => {
    session.on("session:started", async () => {
      await session.getRoster();
      session.sendPresence();
      started(session);
    });
    session.connect();
  });
}

const gone = (session) => new Promise((left) => session.on("disconnected", left));
const juliet = await logIn("juliet");
const romeo = await logIn("romeo");
const heard = new Promise((found) => juliet.on("chat", (message) => found(message.body)));
romeo.sendMessage({ to: `juliet@${domain}`, type: "chat", body: "<art> thou & here 🌹" });
if ((await heard) !== "<art> thou & here 🌹") throw new Error("another message");
const info = await romeo.getDiscoInfo(domain);
if (info.identities[0].type !== "im") throw new Error("not a server");
const left = Promise.all([gone(juliet), gone(romeo)]);
juliet.disconnect();
romeo.disconnect();
await left;
console.log("done");
process.exit(0);
