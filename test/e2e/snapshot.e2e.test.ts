import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createProgress, images } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openScene, type Scene } from "./harness/scene.ts";

const savedObjects = z.object({ objects: z.array(z.object({ kind: z.string() })) });

const dump = {
  name: "shop",
  image: images.busybox,
  command: ["sh", "-c", "seq 1 200000"],
  restoreTest: ["sh", "-c", 'test "$(wc -l < "$BASCULE_DUMP_FILE")" = 200000'],
};

describe("snapshots taken before a release", () => {
  let scene: Scene;
  const snapshots = () => join(scene.projectDirectory, ".bascule", "dev", "snapshots", "web");

  beforeAll(async () => {
    scene = await openScene({ progress: createProgress() });
    const first = await scene.release({ version: "v1" });
    expect(first.exitCode, first.output).toBe(0);
  });
  afterAll(() => scene.close());

  it("brings a database dump here whole, with its size and checksum in the journal", async () => {
    const result = await scene.release({ version: "v2", settings: { dump: JSON.stringify(dump) } });
    expect(result.exitCode, result.output).toBe(0);
    const taken = (await scene.journal("v2")).map(({ fact }) => fact).filter(({ kind }) => kind === "snapshotTaken");
    expect(taken).toHaveLength(2);
    const content = await readFile(join(scene.projectDirectory, String(taken[1]?.["location"])));
    expect(content.length).toBe(taken[1]?.["sizeBytes"]);
    expect(createHash("sha256").update(content).digest("hex")).toBe(taken[1]?.["sha256"]);
    expect(content.toString("utf8").trimEnd().split("\n")).toHaveLength(200_000);
  });

  it("saves the manifests of what is about to change", async () => {
    const taken = (await scene.journal("v2")).map(({ fact }) => fact).find(({ kind }) => kind === "snapshotTaken");
    const saved = savedObjects.parse(
      JSON.parse(await readFile(join(scene.projectDirectory, String(taken?.["location"])), "utf8")),
    );
    const kinds = saved.objects.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(["Service", "Deployment", "ConfigMap", "PodDisruptionBudget"]));
  });

  it.each([
    ["whose command fails", { command: ["sh", "-c", "echo no such database >&2; exit 3"] }, "ended with code 3"],
    ["that is empty", { command: ["true"], restoreTest: ["true"] }, "empty"],
    [
      "that does not pass its restore test",
      { restoreTest: ["sh", "-c", "echo truncated archive >&2; exit 1"] },
      "truncated archive",
    ],
  ])("stops the release before anything moved for a dump %s", async (_what, change, why) => {
    const versions = await scene.namespace.versions();
    const before = await readdir(snapshots());
    const result = await scene.release({ version: "v3", settings: { dump: JSON.stringify({ ...dump, ...change }) } });
    expect(result.exitCode).not.toBe(0);
    expect(result.output).toContain("nothing was deployed");
    expect(result.output).toContain(why);
    expect(await scene.namespace.versions()).toEqual(versions);
    const left = (await readdir(snapshots())).filter((name) => !before.includes(name) && !name.endsWith("-manifests"));
    expect(left).toEqual([]);
  });
});
