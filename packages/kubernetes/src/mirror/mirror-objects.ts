import { createHash } from "node:crypto";
import type { VersionId } from "@bascule/core";
import type { MirrorOptions } from "@bascule/mirror";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import type { Manifest } from "../fenced-objects.ts";
import { mirrorSelector, mirrorToLabel, versionSelector } from "../labels.ts";
import type { MirrorSpec } from "./mirror-spec.ts";

/** The version that answers, and the one that gets copies. */
export interface MirrorPair {
  readonly stable: VersionId;
  readonly candidate: VersionId;
}

/** The release whose requests are copied. */
export interface MirroredRelease {
  readonly release: string;
  readonly namespace: string;
  /** The port that the containers of its versions listen on. */
  readonly containerPort: number;
}

/** Where each version is reached, for example `http://10.96.0.7:8080`. */
export interface MirrorAddresses {
  readonly primary: string;
  readonly shadow: string;
}

const programFile = "mirror-server.js";
const programDirectory = "/mirror";
const usualAdminPort = 8081;
/** What the program promises to stay below, with bodies as large and as hard to compare as its bounds allow. */
const memoryLimit = "640Mi";
const firstOrdinaryPort = 1_024;
/** Of nobody in particular, so that the image's own user does not matter. */
const userId = 65_532;

/** The name of a pair's mirror: another pair has another one, so that both can stand beside each other. */
export function mirrorName(release: string, { stable, candidate }: MirrorPair): string {
  return `${release}-mirror-${digest([stable, candidate])}`;
}

/** The labels of all objects of a pair's mirror, and the selector of its Pods. */
export function mirrorLabels(release: string, { stable, candidate }: MirrorPair): Readonly<Record<string, string>> {
  return { ...mirrorSelector(release, stable), [mirrorToLabel]: candidate };
}

/** Where a mirror tells whether it is ready, and what it has counted. */
export function adminPortOf({ containerPort }: Pick<MirroredRelease, "containerPort">): number {
  return containerPort === usualAdminPort ? usualAdminPort + 1 : usualAdminPort;
}

/** The Services by which a mirror reaches the two versions, apart from the one that clients use. */
export function mirrorServices(mirrored: MirroredRelease, pair: MirrorPair): Record<keyof MirrorAddresses, Manifest> {
  const serviceFor = (suffix: string, version: VersionId): Manifest => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(mirrored, pair, suffix),
    spec: {
      selector: versionSelector(mirrored.release, version),
      ports: [{ name: "main", port: mirrored.containerPort, targetPort: mirrored.containerPort, protocol: "TCP" }],
    },
  });
  return { primary: serviceFor("-old", pair.stable), shadow: serviceFor("-new", pair.candidate) };
}

/** The program, under a name that changes with it. */
export function mirrorProgram(mirrored: MirroredRelease, pair: MirrorPair, text: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadataOf(mirrored, pair, `-${digest(text)}`),
    immutable: true,
    data: { [programFile]: text },
  };
}

/** The Pods in front of the stable version, which pass requests on and copy a share of them. */
export function mirrorDeployment(
  mirrored: MirroredRelease,
  pair: MirrorPair,
  spec: MirrorSpec,
  sharePercent: number,
  addresses: MirrorAddresses,
  program: Manifest,
): Manifest {
  const { image, replicas, readyLimitMs, ...comparison } = spec;
  const { containerPort } = mirrored;
  const adminPort = adminPortOf(mirrored);
  const options: MirrorOptions = { ...addresses, ...comparison, sharePercent, port: containerPort, adminPort };
  const labels = mirrorLabels(mirrored.release, pair);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadataOf(mirrored, pair),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      progressDeadlineSeconds: Math.ceil(readyLimitMs / 1_000),
      // Another share is another set of Pods, which stand before the present ones end.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "100%", maxUnavailable: 0 } },
      template: {
        metadata: { labels: { ...commonLabels(mirrored.release), ...labels } },
        spec: {
          securityContext: {
            ...restrictedPod.securityContext,
            runAsUser: userId,
            runAsGroup: userId,
            ...(containerPort < firstOrdinaryPort
              ? { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] }
              : {}),
          },
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: "mirror",
              image,
              command: ["node", `${programDirectory}/${programFile}`],
              env: [{ name: "BASCULE_MIRROR", value: JSON.stringify(options) }],
              ports: [
                { name: "main", containerPort, protocol: "TCP" },
                { name: "admin", containerPort: adminPort, protocol: "TCP" },
              ],
              readinessProbe: { httpGet: { path: "/readyz", port: adminPort, scheme: "HTTP" }, periodSeconds: 1 },
              securityContext: { ...restrictedContainer, readOnlyRootFilesystem: true },
              resources: { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: memoryLimit } },
              volumeMounts: [{ name: "program", mountPath: programDirectory, readOnly: true }],
            },
          ],
          volumes: [{ name: "program", configMap: { name: program.metadata.name } }],
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: labels },
            },
          ],
        },
      },
    },
  };
}

/** All requests go through the mirror's Pods, so that they may not be moved away all at once. */
export function mirrorBudget(mirrored: MirroredRelease, pair: MirrorPair): Manifest {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(mirrored, pair),
    spec: { maxUnavailable: 1, selector: { matchLabels: mirrorLabels(mirrored.release, pair) } },
  };
}

function metadataOf({ release, namespace }: MirroredRelease, pair: MirrorPair, suffix = "") {
  return {
    name: `${mirrorName(release, pair)}${suffix}`,
    namespace,
    labels: { ...commonLabels(release), ...mirrorLabels(release, pair) },
  };
}

function commonLabels(release: string) {
  return { "app.kubernetes.io/name": release, "app.kubernetes.io/managed-by": "bascule" };
}

function digest(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 8);
}
