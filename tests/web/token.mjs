// @xmpp/client logs in with the password and is given a token; then it logs in with the token and a wrong password.
// Arguments: the WebSocket's URL, the domain, the password.
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;
const [url, domain, password] = process.argv.slice(2);
const userAgent = xml("user-agent", { id: "d4565fa7-4d72-4749-b3d3-740edbf87770" }, xml("software", {}, "xmpp.js"));
let token;

// What a session was told when it logged in, and its address.
async function logIn(password) {
  const session = client({ service: url, domain, username: "juliet", password, resource: "web", userAgent });
  session.on("error", (error) => fail(error.message));
  session.fast.saveToken = async (given) => (token = given);
  session.fast.fetchToken = async () => token;
  const told = [];
  session.on("element", (element) => told.push(element));
  const address = await session.start();
  await session.iqCaller.request(xml("iq", { type: "get", to: domain }, xml("ping", "urn:xmpp:ping")));
  const asked = [];
  for (const element of told) if (element.getName() === "success") asked.push(element);
  return { session, address: address.toString(), success: asked[0] };
}

function fail(why) {
  console.error(why);
  process.exit(1);
}

function expect(what, found, wanted) {
  if (found !== wanted) fail(`${what}: expected ${wanted}, found ${found}`);
}

const first = await logIn(password);
expect("the profile", first.success.attrs.xmlns, "urn:xmpp:sasl:2");
expect("the mechanism of the token", token?.mechanism, "HT-SHA-256-NONE");
expect("the session is bound", first.success.getChild("bound", "urn:xmpp:bind:0") !== undefined, true);
await first.session.stop();

const second = await logIn("not the password");
expect("the same client has the same address", second.address, first.address);
const list = await second.session.iqCaller.request(xml("iq", { type: "get" }, xml("list", "urn:xmpp:cam:0")));
const [known] = list.getChild("clients").getChildren("client");
expect("its name in the list", known.getChild("user-agent").getChildText("software"), "xmpp.js");
await second.session.stop();
console.log("done");
