export {
  analysis,
  BasculeError,
  difference,
  experiment,
  mirror,
  pause,
  route,
  runHook,
  scale,
  setWeight,
  soak,
  stepsFromArgoRollouts,
  stepsFromFlagger,
  tcp,
  type MigratedCanary,
  type MigratedPlan,
  type RequestMatch,
  type Step,
} from "@bascule/core";
export type { SnapshotTaken } from "@bascule/pulumi";
export { connectApi, type Api } from "./api.ts";
export { loadKubeConfig, type ClusterAddress } from "./cluster-address.ts";
export type { Autoscale } from "./components/autoscale.ts";
export { BlueGreenDeployment, type BlueGreenDeploymentArgs } from "./components/blue-green-deployment.ts";
export { Cutover, type CutoverArgs } from "./components/cutover.ts";
export { DirectDeployment, type DirectDeploymentArgs } from "./components/direct-deployment.ts";
export type { HookInput } from "./components/hook-input.ts";
export type { DataArgs, LagArgs, MirrorArgs, ParallelReleaseArgs } from "./components/parallel-args.ts";
export { ParallelDeployment, type ParallelDeploymentArgs } from "./components/parallel-deployment.ts";
export { http, type HttpProbeInput, type ProbeInput } from "./components/probe-input.ts";
export { ProgressiveDeployment, type ProgressiveDeploymentArgs } from "./components/progressive-deployment.ts";
export type {
  ContainerSpec,
  PodTemplateChange,
  ProgressiveReleaseArgs,
  ReleaseArgs,
  StagedReleaseArgs,
  VersionSpec,
} from "./components/release-args.ts";
export { Release, type ReleaseKind } from "./components/release.ts";
export {
  httpRoute,
  ingressNginx,
  replicaRatio,
  serviceSwitch,
  trafficSplit,
  virtualService,
  type RouterInput,
} from "./components/router-input.ts";
export { Snapshot, type SnapshotArgs } from "./components/snapshot.ts";
export { stackSecret, type StackSecret } from "./components/stack-secret.ts";
export { restoreManifests } from "./snapshot/manifests.ts";
export { databaseDump, manifests, type DatabaseDumpSpec, type SnapshotSpec } from "./snapshot/snapshot-spec.ts";
