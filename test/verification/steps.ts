/** One thing that must hold before a change is merged. */
export type Step = CommandStep | TestStep;

/** Holds when the command ends with exit code 0 within its time limit. */
export interface CommandStep {
  readonly kind: "command";
  readonly name: string;
  /** The program and its arguments. Programs of the workspace's development dependencies are found by name. */
  readonly command: readonly [program: string, ...parameters: string[]];
  readonly timeLimitMinutes: number;
}

/** Holds when every test of a Vitest project passes, none is skipped and there is at least one. */
export interface TestStep {
  readonly kind: "tests";
  readonly name: string;
  readonly project: string;
  readonly timeLimitMinutes: number;
}

/** In the order in which they run: what later steps need first, then what fails fastest. */
export const steps: readonly Step[] = [
  { kind: "command", name: "build", command: ["pnpm", "run", "build"], timeLimitMinutes: 10 },
  { kind: "command", name: "format", command: ["pnpm", "run", "check:format"], timeLimitMinutes: 5 },
  { kind: "command", name: "lint", command: ["pnpm", "run", "check:lint"], timeLimitMinutes: 10 },
  { kind: "command", name: "types", command: ["pnpm", "run", "check:types"], timeLimitMinutes: 5 },
  { kind: "command", name: "dependency rules", command: ["pnpm", "run", "check:dependencies"], timeLimitMinutes: 5 },
  { kind: "command", name: "unused", command: ["pnpm", "run", "check:unused"], timeLimitMinutes: 5 },
  { kind: "command", name: "packages", command: ["pnpm", "run", "check:packages"], timeLimitMinutes: 10 },
  { kind: "tests", name: "unit tests", project: "unit", timeLimitMinutes: 20 },
  { kind: "tests", name: "conformance tests", project: "conformance", timeLimitMinutes: 10 },
  // These two start a cluster, which a machine that never did so has to build first.
  { kind: "tests", name: "end-to-end tests", project: "e2e", timeLimitMinutes: 60 },
  { kind: "tests", name: "fault tests", project: "faults", timeLimitMinutes: 60 },
];
