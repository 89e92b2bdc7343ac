import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { bundleServer } from "../../bundle-server.ts";
import type { MirrorOptions } from "../options.ts";
import { mirrorReportSchema, type MirrorReport } from "../report/report.ts";

const startLimitMs = 10_000;
const lineSchema = z.object({ message: z.string(), port: z.number().optional(), adminPort: z.number().optional() });

/** The mirror as it is published: one file in a directory with nothing else. */
export interface MirrorProgram {
  readonly file: string;
  remove(): Promise<void>;
}

/** Bundles the mirror from its sources. */
export async function bundledMirror(): Promise<MirrorProgram> {
  const directory = await mkdtemp(join(tmpdir(), "bascule-mirror-"));
  const file = join(directory, "mirror-server.js");
  await bundleServer(file, { "@bascule/core": fileURLToPath(new URL("../../../core/src/index.ts", import.meta.url)) });
  return { file, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** A mirror that runs as a process of its own. */
export interface MirrorProcess {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  report(): Promise<MirrorReport>;
  /** The status of `GET /readyz`. */
  readiness(): Promise<number>;
  /** Sends SIGTERM. */
  terminate(): void;
  /** The exit code; undefined when a signal ended it. */
  readonly exited: Promise<number | undefined>;
  /** All that it has written. */
  log(): string;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** Starts the mirror on free ports, and comes back when it is ready, or at once when it is not to be waited for. */
export async function startProcess(
  { file }: MirrorProgram,
  options: MirrorOptions,
  { untilReady = true } = {},
): Promise<MirrorProcess> {
  const child = spawn(process.execPath, [file], {
    env: { BASCULE_MIRROR: JSON.stringify({ port: 0, adminPort: 0, ...options }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (log += text));
  }
  const exited = once(child, "exit").then(([code]: unknown[]) => (typeof code === "number" ? code : undefined));
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  const failed = exited.then(() => {
    throw new Error(`The mirror ended: ${log}`);
  });
  failed.catch(() => {});
  const { port = 0, adminPort = 0 } = await Promise.race([failed, untilSaid(() => log, "listening")]);
  const admin = `http://127.0.0.1:${adminPort}`;
  const readiness = async () => (await fetch(`${admin}/readyz`)).status;
  if (untilReady) {
    await Promise.race([failed, untilSaid(() => log, "the primary accepts connections; ready")]);
  }
  if (child.pid === undefined) throw new Error("The mirror was not started.");
  return {
    pid: child.pid,
    port,
    url: `http://127.0.0.1:${port}`,
    report: async () => mirrorReportSchema.parse(await (await fetch(`${admin}/report`)).json()),
    readiness,
    terminate: () => child.kill("SIGTERM"),
    exited,
    log: () => log,
    kill,
  };
}

async function untilSaid(log: () => string, message: string): Promise<z.infer<typeof lineSchema>> {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    const lines = log()
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{"));
    const said = lines.map((line) => lineSchema.parse(JSON.parse(line))).find((line) => line.message === message);
    if (said !== undefined) return said;
    if (performance.now() > deadline) throw new Error(`The mirror did not say “${message}” in time: ${log()}`);
    await sleep(10);
  }
}
