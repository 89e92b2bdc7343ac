import { messageOf, type LagProbe, type Measurement } from "@bascule/core";
import type { Clock } from "@bascule/engine";
import { compile } from "json-p3";
import { z } from "zod";
import type { HttpAnswer } from "./http-answer.ts";
import { measureAnswer, type HttpPlace, type Judgement } from "./measure-http.ts";

/**
 * Asks a version how far its data is behind, once and on a connection of its own. A lag that is not told is an `error`: it is neither
 * within the maximum nor above it. Never throws.
 */
export async function measureLag(
  probe: LagProbe,
  place: HttpPlace,
  clock: Clock,
  signal: AbortSignal,
): Promise<Measurement> {
  const { name, path = "/", timeoutMs } = probe;
  const question = { kind: "http", name, path, expect: {}, ...(timeoutMs === undefined ? {} : { timeoutMs }) } as const;
  return measureAnswer(question, place, clock, signal, (answer) => judgeLag(probe, lagIn(answer, probe.field ?? "$")));
}

/** Judges a lag as it was told: a number in the probe's unit, or the text of one. */
export function judgeLag({ maximumMs, unit = "milliseconds" }: LagProbe, told: unknown): Judgement {
  const found = typeof told === "string" && told.trim() !== "" ? Number(told) : told;
  const value = z.number().min(0).safeParse(found);
  if (!value.success)
    return { verdict: "error", message: `not measured: the lag that was told is no number of ${unit}` };
  const lagMs = Math.round(unit === "seconds" ? value.data * 1_000 : value.data);
  return {
    verdict: lagMs <= maximumMs ? "pass" : "fail",
    message: `the candidate's data is ${lagMs} ms behind, at most ${maximumMs} ms may be`,
  };
}

/** What stands at the field; nothing where there is no such thing, or more than one. */
function lagIn({ body, isCut }: HttpAnswer, field: string): unknown {
  if (isCut) return undefined;
  try {
    const [only, ...others] = compile(field)
      .query(z.json().parse(JSON.parse(body)))
      .values();
    return others.length === 0 ? only : undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
