import type { Machine } from "../machine.ts";
import { endings, type Ending } from "../rings/release.ts";
import type { RingsMeasurement } from "../rings/measure-rings.ts";
import { operations, type Kind, type Operation, type StackResult } from "../stack/measure-stack.ts";
import { growthExponent } from "../statistics.ts";

/** What a run of the benchmark measured; a short run lacks a part. */
export interface BenchmarkResult {
  readonly machine: Machine;
  readonly rings?: readonly RingsMeasurement[];
  readonly stack?: StackResult;
}

/** The ratio to the plain stack that the preview of the largest stack must not exceed. */
export const allowedRatio = 1.5;

/** The tables of a result, with what they mean. */
export function tablesOf({ machine, rings, stack }: BenchmarkResult): string {
  return [
    ...(stack ? [stackSection(stack)] : []),
    ...(rings ? [ringsSection(rings)] : []),
    machineSection(machine, stack),
  ].join("\n\n");
}

function stackSection({ measurements, rounds }: StackResult): string {
  const counts = [...new Set(measurements.map(({ count }) => count))];
  const find = (kind: Kind, operation: Operation, count: number) =>
    measurements.find((one) => one.kind === kind && one.operation === operation && one.count === count);

  const rows = operations.flatMap((operation) =>
    counts.map((count) => {
      const plain = find("plain", operation, count);
      const bascule = find("bascule", operation, count);
      if (!plain || !bascule) throw new Error(`Nothing was measured of ${operation} with ${count}.`);
      return [
        `\`${operation}\``,
        grouped(count),
        seconds(plain.medianMs),
        seconds(bascule.medianMs),
        (bascule.medianMs / plain.medianMs).toFixed(2),
        seconds(plain.bestMs),
        seconds(bascule.bestMs),
        (bascule.bestMs / plain.bestMs).toFixed(2),
        milliseconds(plain.medianMs / count),
        milliseconds(bascule.medianMs / count),
      ];
    }),
  );
  const growth = operations.flatMap((operation) =>
    (["plain", "bascule"] as const).map((kind) => {
      const points = counts.map((count) => ({ size: count, cost: find(kind, operation, count)?.medianMs ?? 0 }));
      const steps = points.slice(1).map((point, index) => {
        const before = points[index] ?? point;
        return milliseconds((point.cost - before.cost) / (point.size - before.size));
      });
      return [`\`${operation}\``, titles[kind], exponent(growthExponent(points)), ...steps];
    }),
  );
  const between = counts.slice(1).map((count, index) => `ms for each more, ${counts[index] ?? 0} to ${count}`);
  return `## A no-op of a stack with many releases

The real CLI on a stack in which nothing has changed: ${counts.map(grouped).join(", ")} × \`BlueGreenDeployment\`, and as many times a Deployment and
a Service of the same application without Bascule. Each was run ${rounds} times, the two in alternation. \`up\` is without the preview
that it would begin with.

${table(
  [
    "operation",
    "releases",
    "plain, median s",
    "Bascule, median s",
    "ratio",
    "plain, best s",
    "Bascule, best s",
    "ratio",
    "plain, ms each",
    "Bascule, ms each",
  ],
  rows,
)}

How it grows: the exponent _b_ of the curve time = _a_ · releases^_b_ that fits the medians best (1 is linear; the time that any run takes
makes it smaller), and what each further release costs, which stays the same where growth is linear.

${table(["operation", "stack", "exponent", ...between], growth)}`;
}

const titles: Readonly<Record<Kind, string>> = { plain: "plain", bascule: "with Bascule" };

const endingTitles: Readonly<Record<Ending, string>> = {
  completed: "completed, 2 % failing within the budget",
  rolledBack: "rolled back from the last ring",
};

function ringsSection(measurements: readonly RingsMeasurement[]): string {
  const rows = measurements.map((one) => [
    endingTitles[one.ending],
    grouped(one.targets),
    milliseconds(one.medianMs),
    milliseconds(one.bestMs),
    ((one.medianMs * 1_000) / one.targets).toFixed(0),
    megabytes(one.liveBytes),
    megabytes(one.peakResidentBytes),
    grouped(one.journalEntries),
    (one.simulatedMs / 60_000).toFixed(0),
  ]);
  const growth = endings.map((ending) => {
    const points = (cost: (one: RingsMeasurement) => number) =>
      measurements.filter((one) => one.ending === ending).map((one) => ({ size: one.targets, cost: cost(one) }));
    const time = growthExponent(points(({ medianMs }) => medianMs));
    const memory = growthExponent(points(({ liveBytes }) => liveBytes));
    return [endingTitles[ending], exponent(time), exponent(memory)];
  });
  return `## The engine alone: a release by rings

The engine and its port for targets, with targets in memory that take simulated seconds, a simulated clock and a journal that is chained
and kept nowhere: what is left is the engine's own work. A pilot, a ring of 1 %, one of 10 %, the rest; 50 targets at once; one in 20
has to be tried twice. Each size ran in a process of its own. Live memory is the most that was alive in the heap during the release,
over what was alive before it; the process is all of Node, garbage that was not yet collected included.

${table(
  [
    "release",
    "targets",
    "median ms",
    "best ms",
    "µs each",
    "live MB",
    "process MB",
    "journal entries",
    "simulated minutes",
  ],
  rows,
)}

${table(["release", "exponent of time", "exponent of live memory"], growth)}`;
}

function machineSection(machine: Machine, stack: StackResult | undefined): string {
  const { processor, cores, memoryGiB, system, node, packages, loadBefore } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const parts = [`${system}, ${cores} × ${processor}, ${memoryGiB} GiB`, `Node ${node}`, ...versions];
  if (stack) parts.push(stack.engine, stack.cluster);
  return `## The machine

${parts.join("; ")}. Its load average just before: ${loadBefore.toFixed(1)}.`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  // Words to the left, numbers to the right.
  const rule = header.map((_, column) => (rows.every((row) => /^[\d.,–]+$/.test(row[column] ?? "")) ? "--:" : ":--"));
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

function exponent(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(2);
}

function seconds(durationMs: number): string {
  return (durationMs / 1_000).toFixed(2);
}

function milliseconds(durationMs: number): string {
  return durationMs < 10 ? durationMs.toFixed(1) : durationMs.toFixed(0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
