// Two people chat with strophe.js in Chromium, the old line that many web clients still use and the new one.
// Arguments: the URL of WebSocket or of BOSH, the domain, the password.
import { browse } from "./browser.mjs";

const [url, domain, password] = process.argv.slice(2);
const scripts = ["/modules/strophe-1/dist/strophe.umd.js", "/modules/strophe.js/dist/strophe.umd.min.js"];
const pages = Object.fromEntries(
  scripts.map((script, index) => [`/${index}`, `<!doctype html><meta charset="utf-8"><script src="${script}"></script>`]),
);

// In the page: logs in with the mechanism, and resolves with the full JID once there.
function logIn([url, jid, password, mechanism]) {
  const { Strophe, $pres } = window.strophe ?? window;
  const mechanisms = { "SCRAM-SHA-1": Strophe.SASLSHA1, "SCRAM-SHA-256": Strophe.SASLSHA256, "SCRAM-SHA-512": Strophe.SASLSHA512 };
  const connection = new Strophe.Connection(url, { mechanisms: [mechanisms[mechanism]] });
  window.connection = connection;
  window.bodies = [];
  connection.addHandler(
    (message) => {
      const body = message.getElementsByTagName("body")[0];
      if (body) window.bodies.push(body.textContent);
      return true;
    },
    null,
    "message",
  );
  return new Promise((there, failed) => {
    connection.connect(jid, password, (status, condition) => {
      if (status === Strophe.Status.CONNECTED) {
        connection.send($pres());
        there(connection.jid);
      }
      if (status === Strophe.Status.AUTHFAIL) failed(new Error(`${mechanism}: ${condition}`));
      if (status === Strophe.Status.CONNFAIL) failed(new Error(`no connection: ${condition}`));
      if (status === Strophe.Status.DISCONNECTED) window.over = true;
    });
  });
}

function say([to, text]) {
  const { $msg } = window.strophe ?? window;
  window.connection.send($msg({ to, type: "chat" }).c("body").t(text));
}

const heard = (page, text) => page.waitForFunction((text) => window.bodies.includes(text), text);

await browse(pages, async (open) => {
  for (const mechanism of ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    const [juliet, romeo] = [await open("/0"), await open("/1")];
    const her = await juliet.evaluate(logIn, [url, `juliet@${domain}/${mechanism}`, password, mechanism]);
    const him = await romeo.evaluate(logIn, [url, `romeo@${domain}/${mechanism}`, password, mechanism]);
    await romeo.evaluate(say, [her, `<art> thou & here 🌹 ${mechanism}`]);
    await heard(juliet, `<art> thou & here 🌹 ${mechanism}`);
    await juliet.evaluate(say, [him, `ay me ${mechanism}`]);
    await heard(romeo, `ay me ${mechanism}`);
    for (const page of [juliet, romeo]) {
      await page.evaluate(() => window.connection.disconnect());
      await page.waitForFunction(() => window.over);
    }
  }
});
