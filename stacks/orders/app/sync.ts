// Brings orders from one store to another, and back. Each command may run twice, and after one that was broken off.
import { setTimeout as sleep } from "node:timers/promises";

const { FROM: from = "", TO: to = "", COMMAND: command = "", PAUSE_MS: pauseMs = "0" } = process.env;

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Keeps the new store in step with the old one. */
  start: () => put(`${from}/replica`, to),
  stop: () => put(`${from}/replica`, ""),
  /** Tells how far the new store is behind, in milliseconds, as the last line. */
  lag: async () => {
    const state = await get(`${from}/state`);
    if (typeof state !== "object" || state === null || !("lagMs" in state)) throw new Error("The store has no lag.");
    console.log(state.lagMs);
  },
  /** The last synchronisation: nobody can write to the old store any more, and the new one gets the rest. */
  cutOver: async () => {
    await put(`${from}/read-only`, "true");
    await put(`${from}/replica`, to);
    await ask("POST", `${from}/flush`);
    // Makes the moment in which nobody can write longer, for the tests.
    await sleep(Number(pauseMs));
    await put(`${from}/replica`, "");
    // It may have been the old store of the change before.
    await put(`${to}/read-only`, "false");
  },
  /** Keeps the old store in step with the new one. */
  reverse: () => put(`${to}/replica`, from),
  /** Brings back what only the new store has, and lets people write to the old one again. */
  goBack: async () => {
    await put(`${to}/replica`, "");
    const known = await rowsOf(from);
    for (const [key, value] of await rowsOf(to)) {
      if (!known.has(key)) await put(`${from}/rows/${encodeURIComponent(key)}?sync`, value);
    }
    await put(`${from}/read-only`, "false");
  },
  finish: () => put(`${to}/replica`, ""),
};

const run = commands[command];
if (!run) throw new Error(`COMMAND = ${command}: use one of ${Object.keys(commands).join(", ")}.`);
await run();
if (command !== "lag") console.log(`${command} is done`);

async function rowsOf(store: string): Promise<ReadonlyMap<string, string>> {
  const rows = await get(`${store}/rows`);
  if (typeof rows !== "object" || rows === null) throw new Error("The store has no rows.");
  return new Map(Object.entries(rows).map(([key, value]) => [key, String(value)]));
}

function put(url: string, body: string): Promise<unknown> {
  return ask("PUT", url, body);
}

function get(url: string): Promise<unknown> {
  return ask("GET", url);
}

async function ask(method: string, url: string, body?: string): Promise<unknown> {
  const signal = AbortSignal.timeout(60_000);
  const response = await fetch(url, { method, signal, ...(body === undefined ? {} : { body }) });
  if (!response.ok) throw new Error(`${method} ${url} was answered with ${response.status}`);
  return response.json();
}
