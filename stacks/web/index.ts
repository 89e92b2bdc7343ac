import { BlueGreenDeployment, http, manifests } from "@bascule/kubernetes";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const version = config.require("version");

const namespace = new kubernetes.core.v1.Namespace("web", {
  metadata: { name: config.require("namespace"), labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});

const web = new BlueGreenDeployment("web", {
  namespace: namespace.metadata.name,
  container: {
    image: config.require("image"),
    port: 8080,
    env: [{ name: "VERSION", value: version }],
  },
  config: config.getObject<Record<string, string>>("behaviour") ?? {},
  replicas: config.getNumber("replicas") ?? 2,
  change: { id: `web-${version}`, type: "normal", reason: config.get("reason") ?? `release of ${version}` },
  snapshot: [manifests()],
  verify: [http("/healthz", { expect: { status: 200, json: [{ path: "$.status", equals: "ok" }] } })],
});

export const running = web.version;
export const address = web.address;
export const journal = web.journal;
