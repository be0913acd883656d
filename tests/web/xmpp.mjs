// Two people chat with @xmpp/client over WebSocket, and one sends the other a file.
// Arguments: the WebSocket's URL, the domain, the password.
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;
const [url, domain, password] = process.argv.slice(2);

async function logIn(username) {
  const session = client({ service: url, domain, username, password, resource: "web" });
  session.on("error", (error) => fail(`${username}: ${error.message}`));
  await session.start();
  await session.send(xml("presence"));
  return session;
}

function nextBody(session) {
  return new Promise((found) => {
    session.on("stanza", (stanza) => {
      if (stanza.is("message") && stanza.getChildText("body")) found(stanza.getChildText("body"));
    });
  });
}

function fail(why) {
  console.error(why);
  process.exit(1);
}

function expect(what, found, wanted) {
  if (found !== wanted) fail(`${what}: expected ${wanted}, found ${found}`);
}

const juliet = await logIn("juliet");
const romeo = await logIn("romeo");

const upload = xml("request", {
  xmlns: "urn:xmpp:http:upload:0",
  filename: "rosé & co.txt",
  size: "5",
  "content-type": "text/plain",
});
const slot = (await romeo.iqCaller.request(xml("iq", { type: "get", to: `upload.${domain}` }, upload))).getChild("slot");
const put = await fetch(slot.getChild("put").attrs.url, {
  method: "PUT",
  body: "rosé",
  headers: { "content-type": "text/plain" },
});
expect("the upload", put.status, 201);

const heard = nextBody(juliet);
const link = slot.getChild("get").attrs.url;
await romeo.send(xml("message", { to: `juliet@${domain}`, type: "chat" }, xml("body", {}, link)));
const got = await fetch(await heard);
expect("the file", await got.text(), "rosé");

await juliet.stop();
await romeo.stop();
console.log("done");
