import { once } from "node:events";
import net from "node:net";

/** A way to the gateway that breaks when it is told to, with whatever is on it; or goes silent without breaking. */
export class CuttingProxy {
  #pairs = new Set();
  #server;
  cuts = 0;
  /** While it is set, nothing passes and nothing breaks. */
  silent = false;

  static async before(url) {
    const proxy = new CuttingProxy();
    const { hostname, port } = new URL(url);
    proxy.#server = net.createServer((near) => {
      const far = net.connect(Number(port), hostname);
      const pair = [near, far];
      proxy.#pairs.add(pair);
      for (const [from, to] of [pair, [far, near]]) {
        from.on("data", (bytes) => proxy.silent || to.write(bytes));
        from.on("end", () => to.end());
        from.on("error", () => {});
        from.on("close", () => {
          to.destroy();
          proxy.#pairs.delete(pair);
        });
      }
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.url = Object.assign(new URL(url), { port: proxy.#server.address().port }).href;
    return proxy;
  }

  /** Breaks what is open; what the sockets hold is lost. */
  cut() {
    for (const [near, far] of this.#pairs) {
      this.cuts += 1;
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  stop() {
    this.cut();
    this.#server.close();
  }
}
