import { z } from "zod";
import { comparisonSchema } from "./analysis/comparison/comparison-options.ts";
import { conditionSchema } from "./analysis/condition.ts";

const milliseconds = z.int().positive();

const analysisFields = {
  /** Time between the starts of two measurements. Default 100 for the service, 200 for the candidate. */
  intervalMs: z.int().min(10).optional(),
  /** Measurements of each verification. Default 20 for the service; 3 for each Pod of the candidate. */
  count: z.int().positive().max(100_000).optional(),
  /** A measurement that takes longer is a failed one. Default 2,000. */
  timeoutMs: milliseconds.max(60_000).optional(),
  /** Waits so long before the first measurement. Default 0. */
  initialDelayMs: z.int().min(0).optional(),
  /** Failed measurements borne; one more fails the verification. Default 0. */
  failureLimit: z.int().min(0).optional(),
  /** Inconclusive measurements borne; one more fails the verification. Default 0. */
  inconclusiveLimit: z.int().min(0).optional(),
  /** Measurements in a row that could not be made, borne. Default 4. */
  consecutiveErrorLimit: z.int().min(0).optional(),
  /** Passes in a row that are enough. Default: the count decides. */
  consecutiveSuccessLimit: z.int().positive().optional(),
  /** Measured and recorded, and never decides anything: to try a probe out. */
  dryRun: z.boolean().optional(),
  /** Where it measures: before traffic (`candidate`), after it (`service`). Default both. */
  targets: z
    .array(z.enum(["candidate", "service"]))
    .min(1)
    .optional(),
};

const jsonExpectation = z.strictObject({
  /** RFC 9535, for example `$.status`. */
  path: z.string().startsWith("$", { error: "must be a JSON path that starts with $, for example $.status" }),
  equals: z.json(),
});

/** What an HTTP answer must be. */
const httpExpectation = z.strictObject({
  /** Default: any of 200 to 299. */
  status: z.int().min(100).max(599).optional(),
  bodyContains: z.string().min(1).optional(),
  json: z.array(jsonExpectation).optional(),
  /** Header names in lower case, with the exact value. */
  headers: z.record(z.string(), z.string()).optional(),
  /** From the start of the connection to the end of the body. */
  latencyMs: milliseconds.optional(),
});

const httpProbeSchema = z.strictObject({
  kind: z.literal("http"),
  name: z.string().min(1),
  path: z.string().startsWith("/", { error: "must be a path that starts with /, for example /health" }),
  method: z.enum(["GET", "HEAD", "POST", "PUT", "OPTIONS"]).optional(),
  scheme: z.enum(["http", "https"]).optional(),
  /** Sent with each request. Values never reach a log, a report or the journal. */
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
  expect: httpExpectation,
  /**
   * CEL over `result`: `status`, `latencyMs`, `headers` (names in lower case), and `body`, which is parsed where it is JSON.
   * The measurement passes when it is true, beside what `expect` says.
   */
  successCondition: conditionSchema.optional(),
  /** As `successCondition`; the measurement fails when it is true. With both, neither being true is inconclusive. */
  failureCondition: conditionSchema.optional(),
  /** How an experiment compares the candidate's latencies with the stable version's. */
  compare: comparisonSchema.optional(),
  /** The answer's header that names the version, as the environment variable BASCULE_VERSION gives it. Default `x-bascule-version`. */
  versionHeader: z.string().toLowerCase().optional(),
  ...analysisFields,
});
export type HttpProbe = z.infer<typeof httpProbeSchema>;

const tcpProbeSchema = z.strictObject({
  kind: z.literal("tcp"),
  name: z.string().min(1),
  ...analysisFields,
});
export type TcpProbe = z.infer<typeof tcpProbeSchema>;

const differenceProbeSchema = z.strictObject({
  kind: z.literal("difference"),
  name: z.string().min(1),
  /** The share of compared answers that may differ, in per cent. Default 0. */
  maximumPercent: z.number().min(0).max(100).optional(),
  /** Fewer compared answers prove nothing. Default 20. */
  minimumCompared: z.int().positive().optional(),
  /** How the times to the beginning of the candidate's answers are compared with the stable version's. Default: not at all. */
  compare: comparisonSchema.optional(),
  ...analysisFields,
});
export type DifferenceProbe = z.infer<typeof differenceProbeSchema>;

const lagProbeSchema = z
  .strictObject({
    kind: z.literal("lag"),
    name: z.string().min(1),
    /** How far the candidate's data may be behind, in milliseconds. */
    maximumMs: z.int().min(0),
    /** The declared command of this name tells: the last line that it prints is the lag, a number in `unit`. */
    hook: z.string().min(1).optional(),
    /** The candidate tells: its answer to GET has the lag at `field`, a number in `unit`. */
    path: z
      .string()
      .startsWith("/", { error: "must be a path that starts with /, for example /replication" })
      .optional(),
    /** RFC 9535, for example `$.lagSeconds`. */
    field: z
      .string()
      .startsWith("$", { error: "must be a JSON path that starts with $, for example $.lagSeconds" })
      .optional(),
    /** Default `milliseconds`. */
    unit: z.enum(["milliseconds", "seconds"]).optional(),
    ...analysisFields,
  })
  .refine(({ hook, path }) => (hook === undefined) !== (path === undefined), {
    error: "must have either a hook or a path that tells the lag, and not both",
  })
  .refine(({ path, field }) => (path === undefined) === (field === undefined), {
    path: ["field"],
    error: "must be given with a path, and only there: it is where the answer has the lag",
  });
export type LagProbe = z.infer<typeof lagProbeSchema>;

/** One test of the VSR, as data. */
export const probeSchema = z.discriminatedUnion(
  "kind",
  [httpProbeSchema, tcpProbeSchema, differenceProbeSchema, lagProbeSchema],
  { error: "must be a probe: use http(…), tcp(), difference() or lag(…)" },
);
export type Probe = z.infer<typeof probeSchema>;

/** What all probes have in common: how often, how long, where. */
export type ProbeAnalysis = Pick<
  HttpProbe,
  | "initialDelayMs"
  | "intervalMs"
  | "count"
  | "timeoutMs"
  | "failureLimit"
  | "inconclusiveLimit"
  | "dryRun"
  | "consecutiveErrorLimit"
  | "consecutiveSuccessLimit"
  | "targets"
>;

/**
 * A probe that asks over HTTP, on a connection of its own each time.
 *
 * @example http("/health", { expect: { status: 200, latencyMs: 250 } })
 */
export function http(path: string, options: Partial<Omit<HttpProbe, "kind" | "path">> = {}): HttpProbe {
  return { kind: "http", name: `http ${path}`, expect: {}, ...options, path };
}

/** A probe that opens a TCP connection to the service's port, and closes it. */
export function tcp(options: Partial<Omit<TcpProbe, "kind">> = {}): TcpProbe {
  return { kind: "tcp", name: "tcp connect", ...options };
}

/**
 * A probe of how often the candidate answers otherwise than the stable version. It measures while requests are copied to the
 * candidate, and is left out at all other times. What it measures is the sum since copying began, so it is read once where others
 * are measured many times; as long as too little was compared, time is given for more while the plan stays at a step.
 */
export function difference(options: Partial<Omit<DifferenceProbe, "kind">> = {}): DifferenceProbe {
  return { kind: "difference", name: "difference", intervalMs: 1_000, count: 1, timeoutMs: 10_000, ...options };
}

/**
 * A probe of how far the candidate's data is behind the stable version's. It measures while data is kept in step, and is left out at
 * all other times. While the plan stays at a step, data may catch up; where it is verified, one measurement within the maximum is
 * enough, and one of 20 has to be, a second apart.
 *
 * @example lag({ path: "/replication", field: "$.lagSeconds", unit: "seconds", maximumMs: 2_000 })
 */
export function lag(options: Omit<LagProbe, "kind" | "name"> & Partial<Pick<LagProbe, "name">>): LagProbe {
  return {
    kind: "lag",
    name: "lag",
    intervalMs: 1_000,
    count: 20,
    failureLimit: 19,
    consecutiveSuccessLimit: 1,
    timeoutMs: 30_000,
    ...options,
  };
}
