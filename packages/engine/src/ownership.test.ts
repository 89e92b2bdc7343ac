import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import type { Marker, Owner } from "@bascule/core";
import { expect, it } from "vitest";
import { processOwnership, thisProcess } from "./ownership.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);

function markerOf(owner: Owner, leaseUntilMs = nowMs + 20_000): Marker {
  return { transaction: "t", candidate: "web-1", origin: null, step: 0, fencing: 1, owner, leaseUntilMs };
}

async function exitedProcess(): Promise<number> {
  const child = spawn(process.execPath, ["--eval", ""], { stdio: "ignore" });
  await once(child, "exit");
  if (child.pid === undefined) throw new Error("The process did not start.");
  return child.pid;
}

it("this process is there while its lease runs", () => {
  expect(processOwnership.isGone(markerOf(thisProcess()), nowMs)).toBe(false);
});

it("a process of this machine that is dead is gone, whatever its lease says", async () => {
  const owner = { ...thisProcess(), processId: await exitedProcess() };
  expect(processOwnership.isGone(markerOf(owner), nowMs)).toBe(true);
});

it("a process whose id was given to another one is gone", () => {
  expect(processOwnership.isGone(markerOf({ ...thisProcess(), processStart: "another-boot/17" }), nowMs)).toBe(true);
});

it("a living child of this machine is not mistaken for this process", () => {
  const child = spawn(process.execPath, ["--eval", "setTimeout(() => {}, 10_000)"], { stdio: "ignore" });
  try {
    expect(processOwnership.isGone(markerOf({ ...thisProcess(), processId: child.pid ?? 0 }), nowMs)).toBe(true);
  } finally {
    child.kill();
  }
});

it("of a process on another machine only the lease tells", () => {
  const elsewhere: Owner = { host: `not-${hostname()}`, processId: 1, processStart: "boot/1" };
  expect(processOwnership.isGone(markerOf(elsewhere), nowMs)).toBe(false);
  expect(processOwnership.isGone(markerOf(elsewhere, nowMs), nowMs)).toBe(false);
  expect(processOwnership.isGone(markerOf(elsewhere, nowMs - 1), nowMs)).toBe(true);
});

it("an owner whose lease has run out counts as gone, also when its process is still there", () => {
  expect(processOwnership.isGone(markerOf(thisProcess(), nowMs - 1), nowMs)).toBe(true);
});
