// Headless Chromium, and a site on this machine with the pages that it opens: the packages are served as they are installed.
import { chromium } from "playwright-core";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";

const program = process.env.CHROMIUM ?? "/usr/bin/chromium";
// Nothing but what the test asks for goes over the network.
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The certificate is the host's, and the pages connect to an address.
  "--ignore-certificate-errors",
];
const kinds = { ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json", ".svg": "image/svg+xml" };

// A site with these pages (path to HTML), and the installed packages below /modules/.
async function serve(pages) {
  const site = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    if (pages[pathname]) {
      response.setHeader("content-type", "text/html; charset=utf-8");
      return response.end(pages[pathname]);
    }
    const file = path.join(import.meta.dirname, "../node_modules", pathname.replace("/modules/", ""));
    if (!pathname.startsWith("/modules/") || !existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", kinds[path.extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
  return site;
}

// Runs a play. It is given `open(path)`, which opens a page as somebody else than before; when it ends, all is closed.
export async function browse(pages, play) {
  const site = await serve(pages);
  // Chromium's profile is a new directory, which goes with it.
  const browser = await chromium.launch({ executablePath: program, headless: true, args });
  const opened = [];
  const open = async (place) => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 700 } });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const said = [];
    page.on("console", (message) => said.push(message.text().slice(0, 300)));
    page.on("pageerror", (error) => said.push(`error: ${error.message}`));
    opened.push({ page, place, said });
    await page.goto(new URL(place, `http://127.0.0.1:${site.address().port}`).href);
    return page;
  };
  try {
    await play(open);
    await look(opened);
    console.log("done");
  } catch (error) {
    console.error(error);
    await look(opened);
    for (const { place, said } of opened) console.error(`${place} said:\n${said.slice(-40).join("\n")}`);
    process.exitCode = 1;
  } finally {
    await browser.close();
    site.close();
  }
}

// Leaves a picture of each page, for people to look at, where SCREENSHOTS says.
async function look(opened) {
  const directory = process.env.SCREENSHOTS;
  if (!directory) return;
  for (const [index, { page, place }] of opened.entries()) {
    const name = place.replace(/[^a-z0-9]+/gi, "-");
    await page.screenshot({ path: path.join(directory, `${index}${name}.png`) });
  }
}
