import type { CandidateSize } from "../plan/step.ts";

/** The Pods that a size asks for; a share of the declared replicas is rounded up, so that no share above 0 is nobody. */
export function podsOf(size: CandidateSize, declaredReplicas: number): number {
  return "replicas" in size ? size.replicas : Math.ceil((declaredReplicas * size.percent) / 100);
}
