import { readFileSync } from "node:fs";
import {
  http,
  ParallelDeployment,
  type DataArgs,
  type HookInput,
  type ParallelReleaseArgs,
  type VersionSpec,
} from "@bascule/kubernetes";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type Behaviour = Readonly<Record<string, string>>;

/** The two stores: the next version keeps its orders in the other one. */
const stores = ["first", "second"] as const;
type StoreName = (typeof stores)[number];

const config = new pulumi.Config();
const version = config.require("version");
const stable = config.get("stable");
const image = config.require("image");
const store = storeNamed(config.get("store") ?? "first");
const behaviour = config.getObject<Behaviour>("behaviour");
const plan = config.getObject<Partial<ParallelReleaseArgs>>("plan");
const sync = readFileSync("app/sync.ts", "utf8");

const namespace = new kubernetes.core.v1.Namespace("orders", {
  metadata: { name: config.require("namespace"), labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
});
const services = { first: declareStore("first"), second: declareStore("second") };

const orders = new ParallelDeployment(
  "orders",
  {
    namespace: namespace.metadata.name,
    ...versionSpec(version, store, behaviour),
    ...(stable ? { stable: versionSpec(stable, other(store)) } : {}),
    change: { id: `orders-${version}`, type: "normal", reason: config.get("reason") ?? `release of ${version}` },
    verify: [http("/healthz", { expect: { status: 200, json: [{ path: "$.status", equals: "ok" }] } })],
    readyTimeoutMs: 120_000,
    data: dataOf(other(store), store),
    ...plan,
    mirror: { image, ...plan?.mirror },
  },
  { dependsOn: Object.values(services) },
);

/** How orders come from the store of the version in service to that of the next one, and back. */
function dataOf(from: StoreName, to: StoreName): DataArgs {
  const hook = (command: string): HookInput => ({
    image,
    command: ["node", "--input-type=module-typescript", "--eval", sync],
    environment: {
      COMMAND: command,
      FROM: addressOf(from),
      TO: addressOf(to),
      PAUSE_MS: config.get("readOnlyPauseMs") ?? "0",
    },
  });
  return {
    start: hook("start"),
    stop: hook("stop"),
    lag: {
      hook: hook("lag"),
      maximumMs: config.getNumber("maximumLagMs") ?? 1_000,
      attempts: config.getNumber("lagAttempts") ?? 20,
    },
    cutOver: hook("cutOver"),
    goBack: hook("goBack"),
    reverse: hook("reverse"),
    finish: hook("finish"),
  };
}

function addressOf(name: StoreName): pulumi.Output<string> {
  return pulumi.interpolate`http://${services[name].spec.clusterIP}:8080`;
}

function versionSpec(name: string, storeName: StoreName, told: Behaviour = {}): VersionSpec {
  return {
    container: {
      image,
      port: 8080,
      command: ["node", "/app/orders.ts"],
      env: [{ name: "VERSION", value: name }],
      readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 },
    },
    files: { "/app": { "orders.ts": readFileSync("app/orders.ts", "utf8") } },
    config: { STORE: storeName, ...told },
  };
}

/** A store of orders, which belongs to no version. */
function declareStore(name: StoreName): kubernetes.core.v1.Service {
  const labels = { app: `store-${name}` };
  const metadata = { name: `store-${name}`, namespace: namespace.metadata.name };
  const program = new kubernetes.core.v1.ConfigMap(`store-${name}`, {
    metadata,
    data: { "store.ts": readFileSync("app/store.ts", "utf8") },
  });
  const deployment = new kubernetes.apps.v1.Deployment(`store-${name}`, {
    metadata,
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "store",
              image,
              command: ["node", "/app/store.ts"],
              env: [{ name: "REPLICA_DELAY_MS", value: config.get("replicaDelayMs") ?? "100" }],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              volumeMounts: [{ name: "program", mountPath: "/app", readOnly: true }],
            },
          ],
          volumes: [{ name: "program", configMap: { name: program.metadata.name } }],
        },
      },
    },
  });
  return new kubernetes.core.v1.Service(
    `store-${name}`,
    { metadata, spec: { selector: labels, ports: [{ name: "main", port: 8080 }] } },
    { dependsOn: [deployment] },
  );
}

function storeNamed(name: string): StoreName {
  const found = stores.find((each) => each === name);
  if (!found) throw new Error(`orders:store = ${name}: use first or second.`);
  return found;
}

function other(name: StoreName): StoreName {
  return name === "first" ? "second" : "first";
}

export const running = orders.version;
export const address = orders.address;
export const weights = orders.weights;
export const journal = orders.journal;
