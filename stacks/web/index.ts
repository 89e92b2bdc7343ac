import { BlueGreenDeployment, databaseDump, http, manifests, type VersionSpec } from "@bascule/kubernetes";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const version = config.require("version");
const standby = config.get("standby");
const dump = config.getObject<Parameters<typeof databaseDump>[0]>("dump");
const token = config.getSecret("token");

const namespace = new kubernetes.core.v1.Namespace("web", {
  metadata: { name: config.require("namespace"), labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});

const web = new BlueGreenDeployment("web", {
  namespace: namespace.metadata.name,
  ...versionSpec(version, config.getObject<Record<string, string>>("behaviour")),
  ...(standby ? { standby: versionSpec(standby) } : {}),
  replicas: config.getNumber("replicas") ?? 2,
  readyTimeoutMs: config.getNumber("readyTimeoutMs") ?? 120_000,
  change: { id: `web-${version}`, type: "normal", reason: config.get("reason") ?? `release of ${version}` },
  snapshot: [manifests(), ...(dump ? [databaseDump(dump)] : [])],
  verify: [
    http("/healthz", {
      expect: { status: 200, json: [{ path: "$.status", equals: "ok" }] },
      ...(token ? { headers: { authorization: pulumi.interpolate`Bearer ${token}` } } : {}),
    }),
  ],
});

/** A version of the sample application, and how it is told to behave. */
function versionSpec(name: string, behaviour: Readonly<Record<string, string>> = {}): VersionSpec {
  return {
    container: { image: config.require("image"), port: 8080, env: [{ name: "VERSION", value: name }] },
    config: { DRAIN_MS: "1500", ...behaviour },
  };
}

export const running = web.version;
export const address = web.address;
export const journal = web.journal;
