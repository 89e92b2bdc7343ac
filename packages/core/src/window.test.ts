import { describe, expect, it } from "vitest";
import { changeWindowSchema, isOpen } from "./window.ts";

const at = (iso: string) => Date.parse(iso);

describe("a change window", () => {
  const window = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };

  it.each([
    ["2026-11-24T20:59:59.999Z", false],
    ["2026-11-24T21:00:00.000Z", true],
    ["2026-11-25T00:59:59.999Z", true],
    ["2026-11-25T01:00:00.000Z", false],
  ])("includes its start and excludes its end: at %s it is open: %s", (now, expected) => {
    expect(isOpen(window, at(now))).toBe(expected);
  });

  it("means the time of its own zone", () => {
    expect(isOpen({ ...window, timeZone: "Etc/UTC" }, at("2026-11-24T21:30:00Z"))).toBe(false);
    expect(isOpen({ ...window, timeZone: "America/Montreal" }, at("2026-11-25T03:00:00Z"))).toBe(true);
  });

  it("may name seconds", () => {
    const short = { ...window, end: "2026-11-24T22:00:30" };
    expect(isOpen(short, at("2026-11-24T21:00:29Z"))).toBe(true);
    expect(isOpen(short, at("2026-11-24T21:00:30Z"))).toBe(false);
  });
});

describe("when Paris changes to summer time, 2026-03-29 at 2:00", () => {
  it("a window over the change is an hour shorter", () => {
    const night = { start: "2026-03-29T01:00", end: "2026-03-29T04:00", timeZone: "Europe/Paris" };
    expect(isOpen(night, at("2026-03-29T00:00:00Z"))).toBe(true);
    expect(isOpen(night, at("2026-03-29T01:59:59Z"))).toBe(true);
    expect(isOpen(night, at("2026-03-29T02:00:00Z"))).toBe(false);
  });

  it("a time that is skipped means the instant that is as long after the gap", () => {
    const gap = { start: "2026-03-29T02:30", end: "2026-03-29T05:00", timeZone: "Europe/Paris" };
    expect(isOpen(gap, at("2026-03-29T01:29:59Z"))).toBe(false);
    expect(isOpen(gap, at("2026-03-29T01:30:00Z"))).toBe(true);
  });
});

describe("when Paris changes back, 2026-10-25 at 3:00", () => {
  it("a window over the change is an hour longer", () => {
    const night = { start: "2026-10-25T01:00", end: "2026-10-25T04:00", timeZone: "Europe/Paris" };
    expect(isOpen(night, at("2026-10-24T22:59:59Z"))).toBe(false);
    expect(isOpen(night, at("2026-10-24T23:00:00Z"))).toBe(true);
    expect(isOpen(night, at("2026-10-25T02:59:59Z"))).toBe(true);
    expect(isOpen(night, at("2026-10-25T03:00:00Z"))).toBe(false);
  });

  it("a time that occurs twice means the earlier", () => {
    const twice = { start: "2026-10-25T02:30", end: "2026-10-25T05:00", timeZone: "Europe/Paris" };
    expect(isOpen(twice, at("2026-10-25T00:29:59Z"))).toBe(false);
    expect(isOpen(twice, at("2026-10-25T00:30:00Z"))).toBe(true);
    const until = { start: "2026-10-25T00:00", end: "2026-10-25T02:30", timeZone: "Europe/Paris" };
    expect(isOpen(until, at("2026-10-25T00:30:00Z"))).toBe(false);
  });
});

describe("what is no change window", () => {
  const good = { start: "2026-11-24T22:00", end: "2026-11-25T02:00", timeZone: "Europe/Paris" };
  it.each<[string, Record<string, unknown>, string]>([
    ["without a time zone", { timeZone: undefined }, "is required: name an IANA time zone such as Europe/Paris"],
    ["an offset for a zone", { timeZone: "+01:00" }, "must be an IANA time zone"],
    ["an unknown zone", { timeZone: "Europe/Lutetia" }, "must be an IANA time zone"],
    ["a time with an offset", { start: "2026-11-24T22:00Z" }, "must be a local date and time"],
    ["a day that does not exist", { start: "2026-02-30T22:00" }, "must be a local date and time"],
    ["a date alone", { start: "2026-11-24" }, "must be a local date and time"],
    ["an end before its start", { end: "2026-11-24T21:00" }, "must be later than start"],
    ["no length", { end: "2026-11-24T22:00" }, "must be later than start"],
    ["an unknown field", { colour: "green" }, "Unrecognized key"],
  ])("%s", (_name, wrong, message) => {
    const { error } = changeWindowSchema.safeParse({ ...good, ...wrong });
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });
});
