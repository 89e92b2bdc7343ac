import type { RequestMatch, Traffic } from "../../packages/core/src/index.ts";
import { recordRelease, versions, type Scene, type Span } from "./recording.ts";
import { duration, fits, line, picture, rect, text, type TextClass } from "./svg.ts";

const width = 980;
const left = 120;
const right = 16;
const rows = { updates: 56, words: 104, traffic: 146, measured: 280, pods: 322, data: 388 } as const;
const dataHeight = 42;
const trafficHeight = 110;

/** How much room each kind of span takes, before all of them are fitted to the picture. Time is not to scale: seconds and days meet. */
const room: Readonly<Record<Span["kind"], number>> = {
  standUp: 1.1,
  verify: 1.05,
  soak: 1.3,
  hold: 1.1,
  pause: 1,
  rest: 1.65,
  scale: 1,
  experiment: 1.4,
  hook: 1.25,
  shift: 0.9,
  route: 1,
  mirror: 1,
  cleanUp: 1.2,
};

interface Column extends Span {
  readonly x: number;
  readonly width: number;
}

/** Draws a release over time: who has the traffic, what is verified, how many Pods there are, where a failure goes back to. */
export function drawRelease(title: string, scene: Scene): string {
  const columns = columnsOf(recordRelease(scene).spans);
  const back = rows.data + (columns.some(({ data }) => data) ? dataHeight : 4);
  const time = back + 58;
  return picture(width, time + 22, title, [
    text(30, 34, title, "strong"),
    ...updateBars(columns, scene),
    ...headings(columns, time),
    ...trafficRow(columns, scene),
    ...measuredRow(columns),
    ...podsRow(columns),
    ...dataRow(columns),
    ...backRow(columns, back),
  ]);
}

function columnsOf(spans: readonly Span[]): readonly Column[] {
  const total = spans.reduce((sum, { kind }) => sum + room[kind], 0);
  const unit = (width - left - right) / total;
  let x = left;
  return spans.map((span) => {
    const column = { ...span, x, width: room[span.kind] * unit };
    x += column.width;
    return column;
  });
}

/** One bar for each `pulumi up`; between two of them, nothing of ours runs. */
function updateBars(columns: readonly Column[], scene: Scene): string[] {
  return runsOf(
    columns.filter(({ kind }) => kind !== "rest"),
    ({ update }) => update,
  ).flatMap(({ first, x, end }) => {
    const { commit = "" } = scene.updates[first.update] ?? {};
    const words = `pulumi up: ${commit}`;
    return [
      rect(x + 1, rows.updates, end - x - 2, 26, "update", 6),
      text((x + end) / 2, rows.updates + 17, fits(words, end - x) ? words : commit, "small", "middle"),
    ];
  });
}

function headings(columns: readonly Column[], time: number): string[] {
  const bottom = time - 16;
  return columns.flatMap((column) => {
    const { x, width: room, words, kind } = column;
    const middle = x + room / 2;
    const top = rows.words + (words.length === 1 ? 8 : 0);
    return [
      ...(kind === "rest" ? [rect(x, rows.updates, room, bottom - rows.updates, "rest")] : []),
      line(x, rows.words - 12, x, bottom, "faint"),
      ...words.map((word, index) => text(middle, top + index * 15, word, "small", "middle")),
      text(middle, time, timeOf(column), "small", "middle"),
    ];
  });
}

function timeOf({ kind, durationMs }: Column): string {
  if (durationMs !== undefined) return kind === "verify" ? `≥ ${duration(durationMs)}` : duration(durationMs);
  return kind === "rest" ? "hours, days" : "";
}

function trafficRow(columns: readonly Column[], scene: Scene): string[] {
  const bottom = rows.traffic + trafficHeight;
  const label = [
    text(30, rows.traffic + 16, "Traffic", "strong"),
    ...legend(30, rows.traffic + 32, "stable", "old version"),
    ...legend(30, rows.traffic + 52, "candidate", "candidate"),
  ];
  const areas = runsOf(columns, (column) => shareOf(column, scene)).flatMap(({ first, x, end }) => {
    const height = (trafficHeight * shareOf(first, scene)) / 100;
    return [
      rect(x, rows.traffic, end - x, trafficHeight - height, "stable"),
      ...(height > 0 ? [rect(x, bottom - height, end - x, height, "candidate")] : []),
    ];
  });
  const copies = runsOf(columns, ({ traffic }) => traffic.mirrorPercent).flatMap(({ first, x, end }) => {
    const height = (trafficHeight * (first.traffic.mirrorPercent ?? 0)) / 100;
    return height > 0 ? [rect(x, bottom - height, end - x, height, "copies")] : [];
  });
  const shares = runsOf(columns, (column) => shareOf(column, scene)).flatMap(({ first, x, end }) => {
    const share = shareOf(first, scene);
    if (share === 0) return [];
    const height = (trafficHeight * share) / 100;
    const isInside = height > 20;
    const y = isInside ? bottom - height / 2 + 4 : bottom - height - 6;
    return [text((x + end) / 2, y, `${round(share)} %`, isInside ? "light" : "small", "middle")];
  });
  const notes = runsOf(columns, ({ traffic }) => noteOf(traffic)).flatMap(({ first, x, end }) => {
    const words = noteOf(first.traffic);
    if (words === "") return [];
    return [
      rect(x + 2, rows.traffic + 4, end - x - 4, 20, "box", 3),
      text((x + end) / 2, rows.traffic + 18, words, "small", "middle"),
    ];
  });
  return [...label, ...areas, ...copies, ...shares, ...notes, line(left, bottom, width - right, bottom, "line")];
}

/** The share that clients meet: where numbers of Pods make it, it is met roughly. */
function shareOf({ traffic, pods }: Span, { router }: Scene): number {
  const weight = traffic.weights[versions.candidate] ?? 0;
  if (router === "weights" || weight === 0 || weight === 100) return weight;
  return (100 * pods.candidate) / (pods.candidate + pods.stable);
}

/** Who gets requests, or copies of them, whatever the weights are. */
function noteOf({ matches = [], mirrorPercent }: Traffic): string {
  return [
    ...matches.map((match) => `${nameOf(match)} → candidate`),
    ...(mirrorPercent === undefined ? [] : [`copies of ${mirrorPercent} %`]),
  ].join(", ");
}

function nameOf({ header, cookie, exact, prefix, regex }: RequestMatch): string {
  return `${header ?? cookie ?? ""}: ${exact ?? prefix ?? regex ?? ""}`;
}

function measuredRow(columns: readonly Column[]): string[] {
  return [
    text(30, rows.measured + 16, "Verified", "strong"),
    ...runsOf(columns, measuredAt)
      .filter(({ first }) => measuredAt(first) !== "")
      .flatMap(({ first, x, end }) => [
        rect(x + 2, rows.measured, end - x - 4, 24, "measured", 4),
        ...fitted(
          [measuredAt(first), measuredAt(first).split(" ").at(-1) ?? "", "✓"],
          x,
          end,
          rows.measured + 16,
          "light",
        ),
      ]),
  ];
}

function measuredAt({ kind, words, traffic }: Span): string {
  if (kind === "verify") return words.includes("Pods") ? "each of its Pods" : "as seen by clients";
  if (kind === "soak" && traffic.mirrorPercent !== undefined) return "answers are compared";
  if (kind === "soak" || kind === "hold") return "as seen by clients";
  return kind === "experiment" ? "side by side" : "";
}

function podsRow(columns: readonly Column[]): string[] {
  const bars = (version: "stable" | "candidate", y: number) =>
    runsOf(columns, ({ pods }) => String(pods[version]))
      .filter(({ first }) => first.pods[version] > 0)
      .flatMap(({ first, x, end }) => {
        const count = first.pods[version];
        const words = `${count} ${count === 1 ? "Pod" : "Pods"}`;
        const shown = fits(words, end - x - 4) ? words : String(count);
        return [
          rect(x + 1, y, end - x - 2, 20, version, 3),
          text((x + end) / 2, y + 14, shown, version === "stable" ? "small" : "light", "middle"),
        ];
      });
  return [
    text(30, rows.pods + 16, "Pods", "strong"),
    ...bars("stable", rows.pods),
    ...bars("candidate", rows.pods + 26),
  ];
}

function dataRow(columns: readonly Column[]): string[] {
  if (!columns.some(({ data }) => data)) return [];
  return [
    text(30, rows.data + 16, "Data", "strong"),
    ...runsOf(columns, ({ data }) => data).flatMap(({ first, x, end }) => {
      if (!first.data) return [];
      const isReadOnly = first.data === "readOnly";
      const wordings = isReadOnly
        ? ["nobody can write", "read only", "closed"]
        : ["the candidate's is kept in step", "in step"];
      return [
        rect(x + 2, rows.data, end - x - 4, 24, isReadOnly ? "failed" : "box", 4),
        ...fitted(wordings, x, end, rows.data + 16, isReadOnly ? "light" : "small"),
      ];
    }),
  ];
}

function backRow(columns: readonly Column[], y: number): string[] {
  return [
    text(30, y + 16, "A failure", "strong"),
    ...runsOf(columns, (column) => backOf(column).join()).flatMap(({ first, x, end }) => {
      return [rect(x + 2, y, end - x - 4, 26, "back", 4), ...fitted(backOf(first), x, end, y + 17, "warn")];
    }),
  ];
}

/** What a failure does, from the longest wording to the shortest. */
function backOf({ goesBackTo, kind, traffic, undo }: Span): readonly string[] {
  if (kind === "rest") return ["a commit gives it up", "give it up"];
  if (kind === "cleanUp") return ["moves nothing, and the update fails", "moves nothing", "no move"];
  if (!reachesCandidate(traffic)) {
    if (undo.length === 0) return ["moves nothing, and the update fails", "moves nothing", "no move"];
    return ["takes the hooks back, and the update fails", "takes hooks back", "hooks back", "back"];
  }
  if (goesBackTo?.[versions.stable] !== 100)
    throw new Error("A failure goes back to another version than the picture says.");
  const hooks = undo.length > 0;
  if (isOnlyCopied(traffic)) {
    return hooks
      ? [
          "ends the copies, takes the hooks back, and the update fails",
          "ends copies, takes hooks back",
          "all back",
          "back",
        ]
      : ["ends the copies, and the update fails", "ends the copies", "back"];
  }
  return hooks
    ? ["puts 100 % and the data back to the old version, verified", "100 % and the data back", "100 % back", "back"]
    : [
        "puts 100 % back to the old version, verified, and the update fails",
        "100 % back to the old version",
        "100 % back",
        "back",
      ];
}

/** No user meets the candidate. */
function isOnlyCopied({ weights, matches }: Traffic): boolean {
  return (weights[versions.candidate] ?? 0) === 0 && matches === undefined;
}

function reachesCandidate({ weights, matches, mirrorPercent }: Traffic): boolean {
  return (weights[versions.candidate] ?? 0) > 0 || matches !== undefined || mirrorPercent !== undefined;
}

/** The first wording that has room. */
function fitted(wordings: readonly string[], x: number, end: number, y: number, kind: TextClass): string[] {
  const shown = wordings.find((words) => fits(words, end - x - 6));
  return shown === undefined ? [] : [text((x + end) / 2, y, shown, kind, "middle")];
}

interface Run {
  readonly first: Column;
  readonly x: number;
  readonly end: number;
}

/** Neighbours that look the same, as one. */
function runsOf(columns: readonly Column[], keyOf: (column: Column) => unknown): readonly Run[] {
  const runs: Run[] = [];
  for (const column of columns) {
    const end = column.x + column.width;
    const last = runs.at(-1);
    if (last && keyOf(last.first) === keyOf(column) && Math.abs(last.end - column.x) < 0.5) {
      runs[runs.length - 1] = { ...last, end };
    } else runs.push({ first: column, x: column.x, end });
  }
  return runs;
}

function legend(x: number, y: number, kind: string, words: string): string[] {
  return [rect(x, y, 12, 12, kind, 2), text(x + 18, y + 11, words, "small")];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
