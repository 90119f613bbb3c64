// Chromium with the page of examples/webtransport: what a user sees there. Prints the page's lines.
//
//     webtransport_browser.mjs BROWSER PAGE HASH

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.WEIR_NODE, "package.json"))("playwright-core");
const [browser, file, hash] = process.argv.slice(2);
const html = await readFile(file);

// The origin that the listener knows, and one that it does not.
const serve = (port) => new Promise((resolve, reject) => {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(html);
  });
  server.once("error", reject).listen(port, "127.0.0.1", () => resolve(server));
});
const servers = [await serve(8000), await serve(8001)];

const profile = await mkdtemp(join(tmpdir(), "weir-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: browser,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
  ],
});

const PATIENCE = 30_000;

async function open(port, url) {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(`page: ${error}`));
  const query = new URLSearchParams({ hash, ...(url && { url }) });
  await page.goto(`http://127.0.0.1:${port}/?${query}`);
  await page.click("#connect button");
  const log = page.locator("#log");
  const lines = async () => (await log.textContent()).split("\n").slice(0, -1);
  const until = async (part) => {
    try {
      await page.waitForFunction((part) => document.getElementById("log").textContent.includes(part), part, { timeout: PATIENCE });
    } catch (error) {
      console.error(`never ${JSON.stringify(part)}; the page says: ${await log.textContent()}`);
      throw error;
    }
  };
  const say = async (text, way) => {
    await page.fill("#text", text);
    await page.click(`#say button[value=${way}]`);
  };
  return { until, say, lines };
}

try {
  const wrong = [];
  for (const page of [await open(8000, "https://127.0.0.1:7031/elsewhere"), await open(8001)]) {
    await page.until("not connected");
    wrong.push((await page.lines()).some((line) => line.startsWith("connected")));
  }

  const closing = await open(8000);
  await closing.until("connected");
  await closing.say("that was all", "close");
  await closing.until("closed: 4000 that was all");

  const page = await open(8000);
  await page.until("connected");
  await page.say("привет 🦀", "stream");
  await page.until("stream: привет 🦀");
  await page.say("free money", "datagram");
  await page.until("datagram: free money");
  const long = "x".repeat(100_000);
  await page.say(long, "stream");
  await page.until(`stream: ${long}`);
  console.log(JSON.stringify({ wrong, knowsDraining: await context.pages().at(-1).evaluate(() => "draining" in WebTransport.prototype) }));
  await page.until("closed");
  const lines = (await page.lines()).filter((line) => line.length < 100);
  console.log(JSON.stringify({ lines }));
} finally {
  await context.close();
  servers.forEach((server) => server.close());
  await rm(profile, { recursive: true, force: true });
}
