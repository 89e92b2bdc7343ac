import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { identify, isAlive } from "./process-identity.ts";

describe("a process", () => {
  it("is alive while it runs, and not under the identity of an earlier one", () => {
    const own = identify(process.pid);
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, start: "1" })).toBe(false);
  });

  it("is not alive once it has ended, even while nobody has taken note of that", async () => {
    // The shell turns into a program that never asks after its child, which therefore stays listed.
    const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(parent.stdout, "readable");
      const child = identify(Number(String(parent.stdout.read())));
      expect(isAlive(child)).toBe(true);
      await sleep(700);
      expect(readFileSync(`/proc/${child.processId}/stat`, "utf8")).toContain(") Z ");
      expect(isAlive(child)).toBe(false);
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
