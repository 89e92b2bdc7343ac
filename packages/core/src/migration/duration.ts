const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  μs: 0.001,
  ns: 0.000_001,
};

/**
 * Milliseconds of a duration as manifests write it: Go's notation (`1h30m`, `1.5s`, https://pkg.go.dev/time#ParseDuration), or a
 * number alone, which means seconds.
 *
 * @returns `undefined` when it is not a duration, or a negative one
 */
export function readDurationMs(written: string | number): number | undefined {
  const text = String(written);
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!/^\+?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/([\d.]+)([a-zµμ]+)/g)];
  return Math.round(
    parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN), 0),
  );
}
