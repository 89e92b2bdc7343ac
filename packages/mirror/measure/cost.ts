import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import type { MirrorOptions } from "../src/options.ts";
import { loadOf, percentile } from "../src/server/load.fake.ts";
import { bundledMirror, startProcess } from "../src/server/process.fake.ts";

/** What the mirror adds to the time of an answer, and what it takes of a processor, at a steady load. */
const ratePerSecond = 200;
const seconds = 15;
const rounds = 3;
const startedSchema = z.object({ url: z.string(), bytes: z.number() });
const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const [primary, shadow, program] = await Promise.all([startBackend(), startBackend(), bundledMirror()]);

const cases: readonly [name: string, options: Partial<MirrorOptions> | undefined][] = [
  ["without a mirror", undefined],
  ["mirror, no copies", { sharePercent: 0 }],
  ["mirror, every request copied", {}],
  ["mirror, every request copied, paths ignored", { ignore: ["$.items[*].updatedAt"] }],
];

print(`${primary.bytes} bytes of JSON, ${ratePerSecond} requests/s for ${seconds} s, best of ${rounds} rounds`);
for (const [name, options] of cases) {
  const results = [];
  for (let round = 0; round < rounds; round++) results.push(await measure(options));
  const best = results.reduce((left, right) => (right.p99 < left.p99 ? right : left));
  const { p50, p99, lost, cpuPercent, residentMb } = best;
  print(
    `${name.padEnd(44)} p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  lost ${lost}  ` +
      `CPU ${cpuPercent.toFixed(1)} % of one core  memory ${residentMb.toFixed(0)} MB`,
  );
}
await Promise.all([primary.stop(), shadow.stop(), program.remove()]);

async function measure(options: Partial<MirrorOptions> | undefined) {
  const mirror =
    options === undefined
      ? undefined
      : await startProcess(program, { primary: primary.url, shadow: shadow.url, ...options });
  const url = mirror?.url ?? primary.url;
  await loadOf(url, { ratePerSecond, count: ratePerSecond * 3 });
  const before = cpuSeconds(mirror?.pid);
  const { milliseconds, lost } = await loadOf(url, { ratePerSecond, count: ratePerSecond * seconds });
  const cpuPercent = ((cpuSeconds(mirror?.pid) - before) / seconds) * 100;
  const residentMb = residentMegabytes(mirror?.pid);
  await mirror?.kill();
  await sleep(200);
  return {
    p50: percentile(milliseconds, 50),
    p99: percentile(milliseconds, 99),
    lost: lost.length,
    cpuPercent,
    residentMb,
  };
}

async function startBackend() {
  const thread = new Worker(new URL("./backend.ts", import.meta.url));
  const [started] = z.tuple([startedSchema]).parse(await once(thread, "message"));
  return { ...started, stop: () => thread.terminate() };
}

/** Of all threads, in user and system mode: fields 14 and 15 of proc(5)'s stat. */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function residentMegabytes(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
