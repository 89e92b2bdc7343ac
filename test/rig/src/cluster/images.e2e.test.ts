import { randomBytes } from "node:crypto";
import { CoreV1Api, type V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgress } from "../progress.ts";
import { clientConfiguration } from "./client-configuration.ts";
import type { Cluster } from "./cluster.ts";
import { images } from "./images.ts";
import { waitFor } from "./isolation.ts";
import { startCluster } from "./start-cluster.ts";

const runLimitMs = 60_000;
const namespace = `images-${randomBytes(4).toString("hex")}`;

const program = `
  const { writeFileSync } = require("node:fs");
  try { writeFileSync("/file", ""); } catch (thrown) { console.log(thrown.code); }
  console.log(process.version, process.getuid(), typeof fetch);
  new (require("node:worker_threads").Worker)("console.log('a thread')", { eval: true });`;

describe("the image with Node", () => {
  let cluster: Cluster;
  let core: CoreV1Api;

  beforeAll(async () => {
    cluster = await startCluster({ progress: createProgress() });
    core = clientConfiguration(cluster).makeApiClient(CoreV1Api);
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await core.createNamespace({ body: { metadata: { name: namespace, labels } } });
    await waitFor("the namespace's service account", runLimitMs, async () => {
      const { items } = await core.listNamespacedServiceAccount({ namespace });
      return items.length > 0;
    });
  });
  afterAll(async () => {
    await core.deleteNamespace({ name: namespace });
    await cluster.stop();
  });

  it("runs the Node of the rig under the restricted Pod Security level, with a root file system that is read-only", async () => {
    const pod: V1Pod = {
      metadata: { name: "node" },
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "node",
            image: images.node,
            imagePullPolicy: "Never",
            args: ["--eval", program],
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      },
    };
    await core.createNamespacedPod({ namespace, body: pod });
    await waitFor("the Pod to end", runLimitMs, async () => {
      const { status } = await core.readNamespacedPod({ namespace, name: "node" });
      return ["Succeeded", "Failed"].includes(status?.phase ?? "");
    });
    const log = await core.readNamespacedPodLog({ namespace, name: "node" });
    expect(log.trim().split("\n")).toEqual(["EROFS", `${process.version} 65532 function`, "a thread"]);
  });
});
