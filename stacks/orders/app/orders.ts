// The service: takes orders and keeps them in the store that it is configured with. How it fails, the tests tell it by environment.
import { Agent, createServer, request } from "node:http";

const version = process.env["VERSION"] ?? "";
const drainMs = Number(process.env["DRAIN_MS"] ?? 1_500);
/** It answers 500 to everything, so long after the first order that a client has placed with it. Default: never. */
const failAfterMs = Number(process.env["FAIL_AFTER_MS"] ?? Number.POSITIVE_INFINITY);
/** Is part of the answer, so that versions can be told apart by more than their name. */
const greeting = process.env["GREETING"] ?? "welcome";

/** Kubernetes tells each Pod the address of every Service that was there before it. */
const store = `STORE_${(process.env["STORE"] ?? "").toUpperCase()}_SERVICE`;
const storeUrl = `http://${process.env[`${store}_HOST`] ?? ""}:${process.env[`${store}_PORT`] ?? ""}`;

const agent = new Agent({ keepAlive: true, maxSockets: 50 });
const counts = { ok: 0, posts: 0, mirrored: 0 };
let isDraining = false;
let firstOrderAtMs: number | undefined;

function hasFailed(): boolean {
  return firstOrderAtMs !== undefined && Date.now() > firstOrderAtMs + failAfterMs;
}

/** Gives the store's status. */
function keep(order: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = `${storeUrl}/rows/${encodeURIComponent(order)}`;
    const outgoing = request(url, { method: "PUT", agent, signal: AbortSignal.timeout(2_000) });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.on("end", () => {
        resolve(response.statusCode ?? 0);
      });
      response.resume();
    });
    outgoing.end(JSON.stringify({ version }));
  });
}

const server = createServer((incoming, response) => {
  const isCopy = incoming.headers["x-bascule-mirrored"] !== undefined;
  const chunks: Buffer[] = [];
  const send = (status: number, json: unknown, isLast = isDraining) => {
    response.writeHead(status, {
      "content-type": "application/json",
      "x-version": version,
      "x-bascule-version": process.env["BASCULE_VERSION"] ?? "",
      ...(isLast ? { connection: "close" } : {}),
    });
    response.end(JSON.stringify(json));
  };
  const takeOrder = async (order: string) => {
    const status = await keep(order).catch(() => 0);
    if (status === 200 || status === 201) send(201, { order });
    // Clients come back on a new connection, which leads to whoever can write.
    else send(503, { error: status === 423 ? "nobody can write just now" : "the store does not answer" }, true);
  };
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    if (incoming.url === "/stats") {
      send(200, counts);
      return;
    }
    if (hasFailed()) {
      send(500, { error: "broken some time after the switch" });
      return;
    }
    counts.ok++;
    if (isCopy) counts.mirrored++;
    if (incoming.method === "POST") counts.posts++;
    if (incoming.url === "/healthz") {
      send(200, { status: "ok" });
      return;
    }
    if (incoming.method !== "POST") {
      send(200, { service: "orders", greeting });
      return;
    }
    if (!isCopy) firstOrderAtMs ??= Date.now();
    void takeOrder(Buffer.concat(chunks).toString("utf8"));
  });
});

server.keepAliveTimeout = 3_600_000;
server.listen(8080, () => {
  console.log(`version ${version} keeps its orders at ${storeUrl}`);
});
process.once("SIGTERM", () => {
  // Clients that keep their connection are told to take a new one with each answer, so that none is cut off.
  isDraining = true;
  setTimeout(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  }, drainMs);
});
