import { recordRings, type RingRecording, type RingScene, type Stretch } from "./ring-recording.ts";
import { duration, line, picture, rect, text } from "./svg.ts";

const width = 980;
const left = 120;
const right = 24;
const top = 84;
const rowHeight = 18;
const ringGap = 14;

/** Draws a release by rings over time, to scale: each target is a line, each ring a group of lines. */
export function drawRings(title: string, scene: RingScene): string {
  const recording = recordRings(scene);
  const lastMs = recording.endMs * 1.06;
  const at = (ms: number) => left + (ms / lastMs) * (width - left - right);
  const places = placesOf(recording);
  const bottom = top + Math.max(...[...places.values()].map(({ y }) => y)) + rowHeight + 8;
  return picture(width, bottom + 34, title, [
    text(30, 34, title, "strong"),
    ...legend(),
    ...recording.plan.rings.flatMap(({ name, targets }) => {
      const { y = 0 } = places.get(targets[0] ?? "") ?? {};
      return [
        text(30, top + y + 13, name, "strong"),
        text(30, top + y + 28, targets.length === 1 ? "1 host" : `${targets.length} hosts`, "small"),
      ];
    }),
    ...recording.plan.rings.flatMap(({ targets }) =>
      targets.flatMap((target) => targetLine(target, top + (places.get(target)?.y ?? 0), recording, lastMs, at)),
    ),
    ...soaks(recording, places, at),
    ...timeAxis(lastMs, bottom, at),
  ]);
}

interface Place {
  readonly y: number;
}

function placesOf({ plan }: RingRecording): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  let y = 0;
  for (const { targets } of plan.rings) {
    for (const target of targets) {
      places.set(target, { y });
      y += rowHeight;
    }
    // The name of a ring needs two lines.
    y += ringGap + (targets.length === 1 ? rowHeight : 0);
  }
  return places;
}

function targetLine(
  target: string,
  y: number,
  { stretches }: RingRecording,
  lastMs: number,
  at: (ms: number) => number,
): string[] {
  const own = stretches.filter((stretch) => stretch.at === target);
  const bar = (fromMs: number, toMs: number, kind: string) =>
    rect(at(fromMs), y, at(toMs) - at(fromMs), rowHeight - 4, kind);
  return [
    bar(0, lastMs, "stable"),
    ...own.flatMap((stretch, index) => {
      if (stretch.kind !== "apply" && stretch.kind !== "rollBack") return [];
      const untilMs = own.slice(index + 1).find(({ kind }) => kind === "rollBack")?.fromMs ?? lastMs;
      return stretch.kind === "apply"
        ? [bar(stretch.toMs, untilMs, "candidate"), bar(stretch.fromMs, stretch.toMs, "copies")]
        : [bar(stretch.fromMs, stretch.toMs, "back")];
    }),
    ...own.flatMap(({ kind, fromMs, toMs }) => {
      if (kind === "verify") return [bar(fromMs, toMs, "measured")];
      return kind === "failed" ? [bar(fromMs, toMs, "failed")] : [];
    }),
  ];
}

/** While a ring is left alone, nothing of it changes. */
function soaks(
  { plan, stretches }: RingRecording,
  places: ReadonlyMap<string, Place>,
  at: (ms: number) => number,
): string[] {
  return stretches.filter(isSoak).flatMap(({ at: name, fromMs, toMs }) => {
    const targets = plan.rings.find((ring) => ring.name === name)?.targets ?? [];
    const y = top + (places.get(targets[0] ?? "")?.y ?? 0);
    const middle = (at(fromMs) + at(toMs)) / 2;
    return [
      text(
        middle,
        y + (targets.length * rowHeight) / 2 + 2,
        `left alone, ${duration(toMs - fromMs)}`,
        "light",
        "middle",
      ),
    ];
  });
}

function isSoak({ kind }: Stretch): boolean {
  return kind === "soak";
}

function timeAxis(lastMs: number, bottom: number, at: (ms: number) => number): string[] {
  const minuteMs = 60_000;
  const stepMs = lastMs > 12 * minuteMs ? 2 * minuteMs : minuteMs;
  const ticks = Array.from({ length: Math.floor(lastMs / stepMs) + 1 }, (_, index) => index * stepMs);
  return [
    line(left, bottom, width - right, bottom, "line"),
    ...ticks.flatMap((ms) => [
      line(at(ms), bottom, at(ms), bottom + 5, "line"),
      text(at(ms), bottom + 20, `${ms / minuteMs} min`, "small", "middle"),
    ]),
  ];
}

function legend(): string[] {
  const entries = [
    ["stable", "old version"],
    ["copies", "being changed"],
    ["measured", "verified"],
    ["failed", "failed"],
    ["candidate", "new version"],
    ["back", "going back"],
  ] as const;
  return entries.flatMap(([kind, words], index) => [
    rect(left + index * 138, 52, 14, 12, kind, 2),
    text(left + index * 138 + 20, 62, words, "small"),
  ]);
}
