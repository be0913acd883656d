// Two people use Converse in Chromium: they chat, meet in a room, and one shows the other a picture.
// Arguments: the URL of WebSocket or of BOSH, the domain, the password.
import { browse } from "./browser.mjs";

const [url, domain, password] = process.argv.slice(2);
const room = `balcony@muc.${domain}`;
const dist = "/modules/converse.js/dist";

function page(name) {
  const settings = {
    authentication: "login",
    auto_login: true,
    jid: `${name}@${domain}`,
    password,
    [url.startsWith("ws") ? "websocket_url" : "bosh_service_url"]: url,
    discover_connection_methods: false,
    view_mode: "fullscreen",
    assets_path: `${dist}/`,
    loglevel: "info",
    allow_non_roster_messaging: true,
    // Whoever makes the room takes the server's defaults.
    muc_instant_rooms: true,
    whitelisted_plugins: ["play"],
  };
  return `<!doctype html><html><head><meta charset="utf-8"><link rel="stylesheet" href="${dist}/converse.min.css"></head>
    <body class="converse-fullscreen"><div id="conversejs-bg"></div><script type="module">
    import "${dist}/converse.min.js";
    window.converse.plugins.add("play", {
      initialize() {
        const { api } = this._converse;
        api.listen.on("initialized", () => (window.api = api));
      },
    });
    window.converse.initialize(${JSON.stringify(settings)});
    </script></body></html>`;
}

// A conversation in somebody's page: `converse-chat` with a person, `converse-muc` of a room.
const conversation = (page, kind, jid) => {
  const place = page.locator(`${kind}[jid="${jid}"]`);
  return {
    open: async (nick) => {
      await page.waitForFunction(() => window.api?.connection.authenticated());
      await page.evaluate(
        ([kind, jid, nick]) => (kind === "converse-muc" ? window.api.rooms.open(jid, { nick }, true) : window.api.chats.open(jid, {}, true)),
        [kind, jid, nick],
      );
      await place.locator(".chat-textarea").waitFor();
    },
    say: async (text) => {
      await place.locator(".chat-textarea").fill(text);
      await place.locator(".chat-textarea").press("Enter");
    },
    heard: (text) => place.locator(".chat-msg__text", { hasText: text }).first().waitFor(),
    show: (file) => place.locator("input.fileupload").setInputFiles(file),
    // Until the last picture is there and not merely announced.
    seen: async () => {
      const picture = await place.locator("img.chat-image").last().elementHandle();
      await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, picture);
      return new URL(await picture.getAttribute("src"));
    },
  };
};

function expect(what, found, wanted) {
  if (found !== wanted) throw new Error(`${what}: expected ${wanted}, found ${found}`);
}

await browse({ "/juliet": page("juliet"), "/romeo": page("romeo") }, async (open) => {
  const [juliet, romeo] = [await open("/juliet"), await open("/romeo")];
  const [withRomeo, withJuliet] = [
    conversation(juliet, "converse-chat", `romeo@${domain}`),
    conversation(romeo, "converse-chat", `juliet@${domain}`),
  ];
  await withRomeo.open();
  await withJuliet.open();
  await withRomeo.say("O Romeo, <b>Romeo</b> & so on 🌹");
  await withJuliet.heard("O Romeo, <b>Romeo</b> & so on 🌹");
  await withJuliet.say("Shall I hear more?");
  await withRomeo.heard("Shall I hear more?");

  const [hers, his] = [conversation(juliet, "converse-muc", room), conversation(romeo, "converse-muc", room)];
  await hers.open("juliet");
  await his.open("romeo");
  await hers.say("Wherefore art thou Romeo?");
  await his.heard("Wherefore art thou Romeo?");
  await his.say("Call me but love");
  await hers.heard("Call me but love");

  // The picture is of what she sees.
  const buffer = await juliet.screenshot();
  const file = { name: "my view & more.png", mimeType: "image/png", buffer };
  await hers.show(file);
  const link = await his.seen();
  expect("where the picture is", link.pathname.startsWith("/upload/"), true);
  const response = await romeo.request.get(link.href);
  expect("the picture", Buffer.compare(await response.body(), buffer), 0);
  expect("its type", response.headers()["content-type"], "image/png");
  await withRomeo.open();
  await withRomeo.show(file);
  await withJuliet.open();
  await withJuliet.seen();
});
