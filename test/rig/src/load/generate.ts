import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";
import { badWindowOf, type BadRequest, type LoadReport } from "./load-report.ts";

export interface LoadOptions {
  readonly url: string;
  readonly ratePerSecond: number;
  /** A connection for each request, or a pool of kept ones. */
  readonly connections: "new" | "keptAlive";
  /** Sent with each request, such as the Host that a gateway goes by. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A request without an answer by then is lost. */
  readonly timeoutMs: number;
}

const keptConnections = 10;

/**
 * Sends requests at a constant rate, whether or not earlier ones were answered, so that a slow server is not flattered. Nothing is
 * sent twice: a request that the client got no answer to is lost.
 */
export function generate(options: LoadOptions): { report(): LoadReport; stop(): Promise<LoadReport> } {
  const agent =
    options.connections === "new"
      ? false
      : new Agent({ keepAlive: true, maxSockets: keptConnections, scheduling: "fifo" });
  const startedAtMs = performance.now();
  const badRequests: BadRequest[] = [];
  const byVersion: Record<string, number> = {};
  const counts = { sent: 0, ok: 0, slowestMs: 0, open: 0 };

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAtMs) / 1000) * options.ratePerSecond);
    while (counts.sent < due) send();
  }, 2);

  const send = () => {
    counts.sent++;
    counts.open++;
    const sentAtMs = performance.now();
    let isSettled = false;
    const settle = (bad?: Omit<BadRequest, "atMs">) => {
      if (isSettled) return;
      isSettled = true;
      counts.open--;
      if (bad) badRequests.push({ atMs: Date.now(), ...bad });
      else counts.ok++;
    };
    const { headers = {} } = options;
    const outgoing = request(options.url, { agent, headers, signal: AbortSignal.timeout(options.timeoutMs) });
    outgoing.on("error", (error) => settle({ kind: "lost", message: error.message }));
    outgoing.on("response", (response) => {
      const version = String(response.headers["x-version"] ?? "unknown");
      response.on("error", (error) => settle({ kind: "lost", version, message: error.message }));
      response.on("end", () => {
        byVersion[version] = (byVersion[version] ?? 0) + 1;
        counts.slowestMs = Math.max(counts.slowestMs, performance.now() - sentAtMs);
        const status = response.statusCode ?? 0;
        settle(status >= 500 ? { kind: "bad", version, message: `status ${status}` } : undefined);
      });
      response.resume();
    });
    outgoing.end();
  };

  const report = (): LoadReport => ({
    sent: counts.sent,
    ok: counts.ok,
    bad: badRequests.filter(({ kind }) => kind === "bad").length,
    lost: badRequests.filter(({ kind }) => kind === "lost").length,
    byVersion: { ...byVersion },
    badWindowMs: badWindowOf(badRequests),
    slowestMs: counts.slowestMs,
    badRequests: [...badRequests],
  });

  return {
    report,
    stop: async () => {
      clearInterval(timer);
      const deadlineMs = performance.now() + options.timeoutMs;
      while (counts.open > 0 && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 10));
      if (agent) agent.destroy();
      return report();
    },
  };
}
