import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProgress, openStack, preparePulumi, startCluster, type Cluster, type Stack } from "@bascule/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { installPacked, packAll } from "../packages/packed-packages.ts";

const example = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const manifestSchema = z.looseObject({ dependencies: z.record(z.string(), z.string()) });

describe("the README's example, with the packages as they are published", () => {
  let cluster: Cluster;
  let stack: Stack;
  let directory: string;

  beforeAll(async () => {
    const progress = createProgress();
    directory = await mkdtemp(join(tmpdir(), "bascule-quickstart-"));
    const project = join(directory, "project");
    await cp(example, project, { recursive: true });
    const manifest = manifestSchema.parse(JSON.parse(await readFile(join(example, "package.json"), "utf8")));
    await installPacked(project, await packAll(directory), manifest);
    const engine = await preparePulumi({ progress });
    cluster = await startCluster({ progress });
    stack = await openStack({
      engine,
      projectDirectory: project,
      stack: "dev",
      backendDirectory: join(directory, "state"),
      environment: { KUBECONFIG: cluster.kubeconfigPath },
    });
  });

  afterAll(async () => {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("deploys, answers, and goes without a trace", async () => {
    const up = await stack.up();
    expect(up.exitCode, up.output).toBe(0);
    const address = /address: "([^"]+)"/.exec(up.output)?.[1];
    expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
    const destroyed = await stack.destroy();
    expect(destroyed.exitCode, destroyed.output).toBe(0);
    expect(await stack.exportResources()).toEqual([]);
  });
});
