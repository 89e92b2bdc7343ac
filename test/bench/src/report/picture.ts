import { init, type EChartsOption } from "echarts";
import { endings, type Ending } from "../rings/release.ts";
import { operations, kinds, type Kind, type Operation } from "../stack/measure-stack.ts";
import type { BenchmarkResult } from "./markdown.ts";

const size = { width: 980, height: 400 };
const colours: Readonly<Record<Kind, string>> = { plain: "#8a94a6", bascule: "#3b5b8c" };
const ringColours: Readonly<Record<Ending, string>> = { completed: "#3b5b8c", rolledBack: "#b4531a" };
const titles = {
  plain: "plain",
  bascule: "with Bascule",
  preview: "preview of a no-op",
  up: "up of a no-op",
  completed: "completed",
  rolledBack: "rolled back",
} as const;

interface Panel {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  /** Straight lines are linear growth either way; the logarithm shows sizes that are far apart. */
  readonly scale: "value" | "log";
  readonly lines: readonly {
    readonly name: string;
    readonly colour: string;
    readonly points: readonly [number, number][];
  }[];
}

/** The result as an SVG picture: time by size, one panel for each operation of the stack and one for the engine alone. */
export function pictureOf(result: BenchmarkResult): string {
  const panels = [
    ...(result.stack ? operations.map((operation) => stackPanel(result, operation)) : []),
    ...(result.rings ? [ringsPanel(result)] : []),
  ];
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  chart.setOption(optionOf(panels));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function stackPanel({ stack }: BenchmarkResult, operation: Operation): Panel {
  return {
    title: titles[operation],
    xName: "releases in the stack",
    yName: "s",
    scale: "value",
    lines: kinds.map((kind) => ({
      name: titles[kind],
      colour: colours[kind],
      points: (stack?.measurements ?? [])
        .filter((one) => one.kind === kind && one.operation === operation)
        .map(({ count, medianMs }) => [count, round(medianMs / 1_000)]),
    })),
  };
}

function ringsPanel({ rings }: BenchmarkResult): Panel {
  return {
    title: "the engine alone, by rings",
    xName: "targets",
    yName: "ms",
    scale: "log",
    lines: endings.map((ending) => ({
      name: titles[ending],
      colour: ringColours[ending],
      points: (rings ?? [])
        .filter((one) => one.ending === ending)
        .map(({ targets, medianMs }) => [targets, round(medianMs)]),
    })),
  };
}

function optionOf(panels: readonly Panel[]): EChartsOption {
  const share = 100 / panels.length;
  const place = (panel: number) => ({ left: `${panel * share + 6}%`, width: `${share - 9}%`, top: 70, bottom: 90 });
  return {
    animation: false,
    backgroundColor: "#f8fafc",
    textStyle: { fontFamily: "system-ui, sans-serif", color: "#16233a" },
    title: panels.map(({ title }, panel) => ({
      text: title,
      left: `${panel * share + 2}%`,
      top: 16,
      textStyle: { fontSize: 15 },
    })),
    grid: panels.map((_, panel) => place(panel)),
    xAxis: panels.map(({ xName, scale }, gridIndex) => ({
      gridIndex,
      type: scale,
      name: xName,
      nameLocation: "middle",
      nameGap: 28,
    })),
    yAxis: panels.map(({ yName, scale }, gridIndex) => ({ gridIndex, type: scale, name: yName })),
    legend: panels.map(({ lines }, panel) => ({
      data: lines.map(({ name }) => name),
      left: `${panel * share + 6}%`,
      bottom: 12,
      icon: "roundRect",
      itemGap: 24,
    })),
    series: panels.flatMap(({ lines }, panel) =>
      lines.map(({ name, colour, points }) => ({
        name,
        type: "line" as const,
        xAxisIndex: panel,
        yAxisIndex: panel,
        // Only the last point has its number: the first ones are too close to each other.
        data: points.map((point, index) => ({ value: [...point], label: { show: index === points.length - 1 } })),
        symbol: "circle",
        symbolSize: 8,
        lineStyle: { color: colour, width: 2 },
        itemStyle: { color: colour },
        label: { position: "top" as const, formatter: "{@[1]}" },
      })),
    ),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
