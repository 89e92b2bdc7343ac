import {
  BlueGreenDeployment,
  databaseDump,
  DirectDeployment,
  http,
  manifests,
  ParallelDeployment,
  ProgressiveDeployment,
  type ParallelReleaseArgs,
  type ProgressiveReleaseArgs,
  type StagedReleaseArgs,
  type VersionSpec,
} from "@bascule/kubernetes";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type Behaviour = Readonly<Record<string, string>>;

const config = new pulumi.Config();
const version = config.require("version");
const standby = config.get("standby");
const stable = config.get("stable");
const dump = config.getObject<Parameters<typeof databaseDump>[0]>("dump");
const token = config.getSecret("token");

const namespace = new kubernetes.core.v1.Namespace("web", {
  metadata: { name: config.require("namespace"), labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});

const release: StagedReleaseArgs = {
  namespace: namespace.metadata.name,
  ...versionSpec(version, config.getObject<Behaviour>("behaviour")),
  ...(stable ? { stable: versionSpec(stable) } : {}),
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
};

const web = releaseBy(config.get("strategy") ?? "blueGreen");

/** How this stack releases; what else a strategy takes is its setting `plan`. */
function releaseBy(strategy: string) {
  const plan = config.getObject<Partial<ProgressiveReleaseArgs & ParallelReleaseArgs>>("plan");
  switch (strategy) {
    case "direct":
      return new DirectDeployment("web", { ...release, ...plan });
    case "blueGreen":
      return new BlueGreenDeployment("web", { ...release, ...plan });
    case "progressive":
      return new ProgressiveDeployment("web", { ...release, ...plan });
    case "parallel":
      return new ParallelDeployment("web", { ...release, ...plan });
    default:
      throw new Error(`web:strategy = ${strategy}: use direct, blueGreen, progressive or parallel.`);
  }
}

/** A version of the sample application, and how it is told to behave. */
function versionSpec(name: string, behaviour: Behaviour = {}): VersionSpec {
  return {
    container: { image: config.require("image"), port: 8080, env: [{ name: "VERSION", value: name }] },
    config: { DRAIN_MS: "1500", ...behaviour },
  };
}

export const running = web.version;
export const address = web.address;
export const weights = web.weights;
export const journal = web.journal;
