// A tiny data store: rows by key, a switch that lets nobody write, and a replica that gets every row a moment later. Rows are kept in
// memory, and none is ever changed or removed.
import { createServer, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

interface Waiting {
  readonly key: string;
  readonly value: string;
  readonly atMs: number;
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
}

const replicaDelayMs = Number(process.env["REPLICA_DELAY_MS"] ?? 100);
const pauseMs = 5;
const retryMs = 100;

const rows = new Map<string, string>();
let isReadOnly = false;
let replica: { readonly url: string } | undefined;
/** Rows that the replica has not got yet, the oldest first. */
let backlog: Waiting[] = [];

/** Writes all rows to the replica, those that are there and those that come, for as long as it is this one. */
async function replicate(link: { readonly url: string }): Promise<void> {
  while (replica === link) {
    const [oldest] = backlog;
    if (!oldest) {
      await sleep(pauseMs);
      continue;
    }
    await sleep(Math.max(0, oldest.atMs + replicaDelayMs - Date.now()));
    try {
      await put(`${link.url}/rows/${encodeURIComponent(oldest.key)}?sync`, oldest.value);
      if (replica === link) backlog.shift();
    } catch {
      await sleep(retryMs);
    }
  }
}

function replicateTo(url: string | undefined): void {
  if (replica?.url === url) return;
  replica = url === undefined ? undefined : { url };
  const atMs = Date.now();
  backlog = replica === undefined ? [] : [...rows].map(([key, value]) => ({ key, value, atMs }));
  if (replica !== undefined) void replicate(replica);
}

function keep(key: string, value: string, isSync: boolean): number {
  if (isReadOnly && !isSync) return 423;
  if (rows.has(key)) return 200;
  rows.set(key, value);
  // What came from a replica does not go back to it.
  if (replica !== undefined && !isSync) backlog.push({ key, value, atMs: Date.now() });
  return 201;
}

async function answer(method: string, { pathname, searchParams }: URL, body: string): Promise<Answer> {
  const [, kind = "", key = ""] = pathname.split("/");
  switch (`${method} ${kind}`) {
    case "PUT rows":
      return { status: keep(decodeURIComponent(key), body, searchParams.has("sync")) };
    case "GET rows":
      return { status: 200, json: Object.fromEntries(rows) };
    case "GET state": {
      const lagMs = backlog[0] === undefined ? 0 : Date.now() - backlog[0].atMs;
      const json = { count: rows.size, readOnly: isReadOnly, replica: replica?.url ?? null, lagMs };
      return { status: 200, json };
    }
    case "PUT read-only":
      isReadOnly = body === "true";
      return { status: 200 };
    case "PUT replica":
      replicateTo(body === "" ? undefined : body);
      return { status: 200 };
    case "POST flush":
      while (backlog.length > 0) await sleep(pauseMs);
      return { status: 200 };
    default:
      return { status: 404 };
  }
}

function put(url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "PUT", agent: false, signal: AbortSignal.timeout(5_000) });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.on("end", () => {
        if (response.statusCode === 200 || response.statusCode === 201) resolve();
        else reject(new Error(`PUT ${url} was answered with ${String(response.statusCode)}`));
      });
      response.resume();
    });
    outgoing.end(body);
  });
}

const server = createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  incoming.on("end", () => {
    const url = new URL(incoming.url ?? "/", "http://store");
    void answer(incoming.method ?? "", url, Buffer.concat(chunks).toString("utf8")).then(({ status, json = {} }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(8080, () => {
  console.log("the store listens");
});
process.once("SIGTERM", () => process.exit(0));
