import { Temporal } from "temporal-polyfill";
import { z } from "zod";

const localTime = z
  .string()
  .refine(isLocalTime, { error: "must be a local date and time such as 2026-11-24T22:00, without an offset" });

const timeZone = z
  .string({
    error: "is required: name an IANA time zone such as Europe/Paris, because a local time alone is ambiguous",
  })
  .refine(isTimeZone, { error: "must be an IANA time zone such as Europe/Paris" });

/** When a change may move traffic: from `start` (included) to `end` (excluded), local times in an IANA time zone. */
export const changeWindowSchema = z
  .strictObject({ start: localTime, end: localTime, timeZone })
  .refine(({ start, end }) => !(isLocalTime(start) && isLocalTime(end)) || start < end, {
    path: ["end"],
    error: "must be later than start",
  });
export type ChangeWindow = z.infer<typeof changeWindowSchema>;

/**
 * Whether the window is open at an instant. A local time that a change to summer time skips means the instant right after the
 * gap; one that occurs twice means the earlier (`disambiguation: "compatible"` of Temporal, as RFC 5545 has it).
 */
export function isOpen(window: ChangeWindow, nowMs: number): boolean {
  return instantOf(window.start, window.timeZone) <= nowMs && nowMs < instantOf(window.end, window.timeZone);
}

/** The window in words. */
export function describeWindow(window: ChangeWindow): string {
  return `from ${window.start} to ${window.end} (${window.timeZone})`;
}

function instantOf(local: string, zone: string): number {
  return Temporal.PlainDateTime.from(local).toZonedDateTime(zone).epochMilliseconds;
}

function isLocalTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(text) && succeeds(() => Temporal.PlainDateTime.from(text));
}

function isTimeZone(text: string): boolean {
  return !/^[+-]/.test(text) && succeeds(() => Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(text));
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
