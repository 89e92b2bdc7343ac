import type { CandidateSize, RequestMatch, Step } from "./step.ts";

/** Gives the candidate this share of the traffic, in per cent. The service is verified right after. */
export function setWeight(weightPercent: number): Step {
  return { kind: "shift", weightPercent };
}

/** Stays at the present weight for so long, in milliseconds, while the service's probes go on. */
export function soak(durationMs: number): Step {
  return { kind: "soak", durationMs };
}

/** Ends the update here until a later commit names this pause, and the version, in `approved`. */
export function pause(name: string): Step {
  return { kind: "pause", name, isApproved: false };
}

/** Measures the service as its clients see it. Default: with all probes that ask the service. */
export function analysis({ probes }: { readonly probes?: readonly string[] } = {}): Step {
  return { kind: "verify", target: "service", ...(probes ? { probes: [...probes] } : {}) };
}

/** Sizes the candidate apart from its weight: so many Pods, or so many per cent of the release's replicas. */
export function scale(size: CandidateSize): Step {
  return { kind: "scale", size };
}

/** Sends requests that match any of these to the candidate from here on (A/B); an empty list ends that. */
export function route(matches: readonly RequestMatch[]): Step {
  return { kind: "route", matches: [...matches] };
}

/** Copies this share of the requests, in per cent, to the candidate; nobody sees its answers. 0 ends that. */
export function mirror(percent: number): Step {
  return { kind: "mirror", percent };
}

/** Measures the candidate and the stable version side by side for so long, and compares them. */
export function experiment(durationMs: number, { probes }: { readonly probes?: readonly string[] } = {}): Step {
  return { kind: "experiment", durationMs, ...(probes ? { probes: [...probes] } : {}) };
}

/** Runs a hook of the release; `undo` names the hook that takes it back in a rollback. */
export function runHook(
  name: string,
  options: {
    readonly limitMs: number;
    readonly undo?: string;
    readonly startsReadOnly?: true;
    readonly keepsInStep?: true;
  },
): Step {
  return { kind: "hook", name, ...options };
}
