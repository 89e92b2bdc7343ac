import { connect } from "node:net";

/** Tells when the Pulumi engine that started this provider is gone. */
export interface EngineWatch {
  /** Aborted once the engine is gone, or has told this process to stop. */
  readonly lost: AbortSignal;
  stop(): void;
}

const intervalMs = 250;

/**
 * Watches the engine. A provider outlives an engine that was killed, and hears nothing of it; so this asks the engine's own
 * address, which is the last argument of every provider, and watches for a new parent. When the engine is gone and the work
 * was settled, the process ends too: nobody is left to ask it anything.
 */
export function watchEngine(argv: readonly string[] = process.argv): EngineWatch {
  const lost = new AbortController();
  const parent = process.ppid;
  const address = /^127\.0\.0\.1:(\d+)$/.exec(argv.at(-1) ?? "");
  const port = address?.[1] === undefined ? undefined : Number(address[1]);
  const onSignal = () => lost.abort();

  const timer = setInterval(() => {
    if (process.ppid !== parent) lost.abort();
    if (port !== undefined) refuses(port, () => lost.abort());
  }, intervalMs);
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);

  return {
    lost: lost.signal,
    stop: () => {
      clearInterval(timer);
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      if (lost.signal.aborted && port !== undefined) setTimeout(() => process.exit(1), 100);
    },
  };
}

function refuses(port: number, onRefused: () => void): void {
  const socket = connect({ host: "127.0.0.1", port });
  socket.setTimeout(intervalMs * 4, () => socket.destroy());
  socket.on("connect", () => socket.destroy());
  socket.on("error", (error) => {
    if ("code" in error && error.code === "ECONNREFUSED") onRefused();
  });
}
