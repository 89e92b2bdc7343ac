import { compareSamples, type ComparisonOptions, type ComparisonResult } from "../../packages/core/src/index.ts";
import { line, picture, rect, text } from "../timelines/svg.ts";

/** Latencies of one version: a log-logistic distribution, whose quantiles are simple to write down. */
interface Latencies {
  readonly medianMs: number;
  readonly count: number;
}

interface Scene {
  readonly title: string;
  readonly candidate: Latencies;
  readonly options: ComparisonOptions;
  readonly meaning: string;
}

/** The greater, the more alike the latencies of one version are. */
const shape = 7;
const baseline: Latencies = { medianMs: 40, count: 200 };
const options: ComparisonOptions = {
  direction: "increase",
  effectSize: { measure: "meanRatio", allowedIncrease: 1.2 },
};

const scenes: readonly Scene[] = [
  {
    title: "No change that is shown",
    candidate: { medianMs: 41, count: 200 },
    options,
    meaning: "0 is in the interval",
  },
  {
    title: "A change that is borne",
    candidate: { medianMs: 44, count: 200 },
    options,
    meaning: "below the 1.2 that is borne",
  },
  {
    title: "A change that is too much",
    candidate: { medianMs: 52, count: 200 },
    options,
    meaning: "above the 1.2 that is borne",
  },
  {
    title: "Too little to tell",
    candidate: { medianMs: 52, count: 20 },
    options,
    meaning: "fewer than 50 values",
  },
];

function samplesOf({ medianMs, count }: Latencies): number[] {
  return Array.from({ length: count }, (_, index) => {
    const part = (index + 0.5) / count;
    return medianMs * (part / (1 - part)) ** (1 / shape);
  });
}

function densityOf({ medianMs }: Latencies, latencyMs: number): number {
  const ratio = latencyMs / medianMs;
  return ((shape / medianMs) * ratio ** (shape - 1)) / (1 + ratio ** shape) ** 2;
}

const panel = { width: 452, height: 262 };
const latencyAxis = { fromMs: 15, toMs: 95, left: 20, width: 412, base: 146, height: 92 };
const shiftAxis = { fromMs: -5, toMs: 19, left: 20, width: 232, y: 196 };

/** What a comparison sees of two versions, and what it says: the picture of docs/analysis.md. */
export function drawComparison(): string {
  const panels = scenes.flatMap((scene, index) => {
    const x = 25 + (index % 2) * (panel.width + 26);
    const y = 56 + Math.floor(index / 2) * (panel.height + 22);
    return [`<g transform="translate(${x} ${y})">`, ...panelOf(scene), "</g>"];
  });
  const description =
    "Four comparisons of the latencies of a candidate with those of the stable version: no change is shown, a change is borne, a change is too much, and there are too few values to tell";
  return picture(980, 630, description, [
    text(25, 34, "Latencies of the stable version and of the candidate, and what the comparison says", "strong"),
    ...panels,
  ]);
}

function panelOf(scene: Scene): string[] {
  const result = compareSamples({
    ...scene.options,
    candidate: samplesOf(scene.candidate),
    baseline: samplesOf(baseline),
  });
  return [
    rect(0, 0, panel.width, panel.height, "box", 8),
    text(20, 26, scene.title, "strong"),
    ...latenciesOf(scene),
    ...shiftOf(result),
    ...verdictOf(result, scene.meaning),
  ];
}

function latenciesOf({ candidate }: Scene): string[] {
  const { fromMs, toMs, left, width, base } = latencyAxis;
  const ticks = [20, 40, 60, 80].flatMap((latencyMs) => {
    const x = left + ((latencyMs - fromMs) / (toMs - fromMs)) * width;
    return [line(x, base, x, base + 4, "line"), text(x, base + 17, `${latencyMs} ms`, "small", "middle")];
  });
  return [
    `<path class="stable" d="${curve(baseline)}Z"/>`,
    `<path fill="none" stroke="#3b5b8c" stroke-width="2.5" d="${curve(candidate)}"/>`,
    line(left, base, left + width, base, "line"),
    ...ticks,
    rect(280, 40, 14, 10, "stable"),
    text(300, 50, `stable, ${baseline.count} values`, "small"),
    `<path fill="none" stroke="#3b5b8c" stroke-width="2.5" d="M280 62H294"/>`,
    text(300, 66, `candidate, ${candidate.count} values`, "small"),
  ];
}

function curve(latencies: Latencies): string {
  const { fromMs, toMs, left, width, base, height } = latencyAxis;
  const highest = densityOf(baseline, baseline.medianMs) * 1.06;
  const points = Array.from({ length: 81 }, (_, index) => {
    const part = index / 80;
    const density = densityOf(latencies, fromMs + part * (toMs - fromMs));
    return `${(left + part * width).toFixed(1)} ${(base - (density / highest) * height).toFixed(1)}`;
  });
  return `M${left} ${base}L${points.join("L")}L${left + width} ${base}`;
}

/** The estimate of the shift, its confidence interval, and how far from 0 the interval's nearer end has to be. */
function shiftOf({ estimate, interval }: ComparisonResult): string[] {
  const { fromMs, toMs, left, width, y } = shiftAxis;
  const at = (shiftMs: number) => left + ((shiftMs - fromMs) / (toMs - fromMs)) * width;
  const axis = [
    line(left, y + 20, left + width, y + 20, "line"),
    ...[0, 5, 10, 15].flatMap((shiftMs) => [
      line(at(shiftMs), y + 20, at(shiftMs), y + 24, "line"),
      text(at(shiftMs), y + 37, shiftMs === 0 ? "0 ms" : `+${shiftMs}`, "small", "middle"),
    ]),
    `<path stroke="#44536c" stroke-width="1" stroke-dasharray="3 3" d="M${at(0).toFixed(1)} ${y - 14}V${y + 20}"/>`,
    text(left, y + 56, "the shift and its 98 % interval; box: tolerance", "small"),
  ];
  if (estimate === undefined || interval === undefined) return axis;
  const borne = Math.abs(estimate) * 0.25;
  const [low, high] = [at(interval.low).toFixed(1), at(interval.high).toFixed(1)];
  return [
    rect(at(-borne), y - 8, at(borne) - at(-borne), 22, "update"),
    `<path stroke="#16233a" stroke-width="2.5" fill="none" d="M${low} ${y - 3}v12m0 -6H${high}m0 -6v12"/>`,
    `<circle cx="${at(estimate).toFixed(1)}" cy="${y + 3}" r="5" fill="#16233a"/>`,
    ...axis,
  ];
}

function verdictOf({ verdict, effectSize }: ComparisonResult, meaning: string): string[] {
  const { y } = shiftAxis;
  const kind = { pass: "measured", fail: "failed", inconclusive: "stable", error: "failed" }[verdict];
  return [
    rect(272, y - 20, 160, 26, kind, 5),
    text(352, y - 2, verdict, verdict === "inconclusive" ? "text" : "light", "middle"),
    ...(effectSize === undefined ? [] : [text(272, y + 24, `mean ratio ${effectSize.toFixed(2)}`, "small")]),
    text(272, y + (effectSize === undefined ? 24 : 40), meaning, "small"),
  ];
}
